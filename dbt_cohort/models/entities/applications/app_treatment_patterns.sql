{{ config(alias='treatment_patterns') }}

-- Who with a condition took which drug from its first record on, by the tables, and what it cost. A drug is not said to be for the
-- condition. A count of 1 to 10 is withheld, and so is one that leaves so few. One row a condition and drug.
{% set k = param('small_cell_threshold') %}
with listed as (
    select * from {{ ref('app_patient_lists') }}
    where structured_first_date is not null and concept_id is not null
),

unit_costs as (
    select try_cast(drug_concept_id as bigint) as concept_id, max(try_cast(unit_cost as double)) as unit_cost
    from {{ source('landing', 'drug_costs') }}
    group by all
),

landed as (
    select (select count(*) from {{ source('landing', 'cost') }}) > 0 as has_cost, (select count(*) from unit_costs) > 0 as has_unit_costs
),

persons as (select concept_id, count(*) as n from listed where domain = 'condition' group by all),

counted as (
    select
        condition.concept_id as condition_concept_id,
        any_value(condition.name) as condition_name,
        drug.concept_id as drug_concept_id,
        any_value(drug.name) as drug_name,
        any_value(persons.n) as n_condition,
        count(*) as n_both,
        sum(drug.n_records) as n_records,
        sum(coalesce(drug.recorded_cost, drug.n_records * unit_costs.unit_cost)) as cost
    from listed as condition
    inner join persons using (concept_id)
    inner join listed as drug
        on drug.person_id = condition.person_id and drug.domain = 'drug' and drug.structured_last_date >= condition.structured_first_date
    left join unit_costs on unit_costs.concept_id = drug.concept_id
    where condition.domain = 'condition'
    group by condition.concept_id, drug.concept_id
),

judged as (select *, n_both < {{ k }} or n_condition - n_both between 1 and {{ k - 1 }} as is_withheld from counted)

select
    condition_concept_id,
    condition_name,
    drug_concept_id,
    drug_name,
    case when n_condition >= {{ k }} then n_condition end as n_with_condition,
    case when not is_withheld then n_both end as n_persons,
    case when not is_withheld then cast(n_records as bigint) end as n_records,
    case when not is_withheld then round(100.0 * n_both / n_condition, 1) end as percent,
    case when not is_withheld then round(cost, 2) end as total_cost,
    case
        when is_withheld then 'withheld'
        when cost is not null then null
        when not has_cost and not has_unit_costs then 'no costs landed: landing/omop/cost or landing/drug_costs.csv'
        else 'no cost of this drug landed'
    end as cost_reason,
    is_withheld
from judged
cross join landed
