-- The notes that language models are asked about, as label_scope of the study says: the latest usable note of each person
-- with an index, every note of the cohort in its window, or all. One row a note.
-- Named here because the graph is parsed with the default scope: with another one it would not know the order of the tables.
-- depends_on: {{ ref('latest_progress_notes') }}
-- depends_on: {{ ref('note_index') }}
-- depends_on: {{ ref('cml_imatinib') }}
{% if param('label_scope') == 'latest' %}
select note_id, person_id, batch, text_sha256, 'latest' as scope
from {{ ref('latest_progress_notes') }}
where note_id is not null
{% elif param('label_scope') == 'cohort' %}
select note.note_id, note.person_id, note.batch, note.text_sha256, 'cohort' as scope
from {{ ref('note_index') }} as note
inner join {{ ref('cml_imatinib') }} as cohort
    on cohort.person_id = note.person_id
    and note.note_date between cohort.index_date
        and {{ 'cohort.follow_up_end' if param('latest_note_window') == 'follow_up' else 'cohort.period_end' }}
{% else %}
select note_id, person_id, batch, text_sha256, 'all' as scope from {{ ref('note_index') }}
{% endif %}
