"""The cue lexicon of the assertion engine: words that tell whether a mention is denied, past, doubted or another's.

Written for this project from knowledge of clinical language, not from the sentences it is measured on (see
benchmarks/assertion.py for how it was developed). One cue a line, in the syntax of `expand_term`; words are
separated by one blank, and a hyphen inside a word is a blank. `@n` at the end gives the reach: how many words may stand
between cue and mention (without it: to the end of the clause). END is the end of the sentence, YEAR any year of the
20th or 21st century. Cues that hold for one concept only (e.g. a transplant *evaluation*) belong in the study file.
"""

from __future__ import annotations

__all__ = ["LEXICON_TEXT"]

_BLOOD = (
    "(mother|father|mom|dad|parent|parents|brother|brothers|sister|sisters|siblings|son|sons|daughter|daughters|uncle|"
    "uncles|aunt|aunts|cousin|cousins|nephew|nephews|niece|nieces|grandmother|grandfather|grandparent|grandparents|"
    "grandson|granddaughter|half brother|half sister|twin)"
)
_SPOUSE = "(husband|wife|spouse|partner|stepfather|stepmother|friend|roommate)"
_SEEN = (
    "(seen|identified|present|noted|found|detected|demonstrated|appreciated|observed|evident|visualized|visualised|felt|"
    "confirmed|supported|indicated|given|performed|done|started|taken|heard|palpable|palpated|elicited|reported|apparent|"
    "documented|diagnosed|pursued|needed|required|established|initiated|filled|recommended|obtained|tolerated)"
)
_BE = "(is|was|are|were|be|been|being|has been|have been|had been)"
_NIL = "(no|none|denies|denied|negative|neg|absent|never|nil)"
_MAYBE_ASK = "(rule out|exclude|be sure of)"

LEXICON_TEXT: dict[tuple[str, str], str] = {
    ("negated", "before"): f"""
no
not @6
nor
nor (was|is|did|does|do|has|had|have) (he|she|they|there|the patient|it)
none of
never @8
neither
without
w/o
den(ies|ied|y|ying)
negative for
neg for
negative (evidence|findings) (of|for)
(has|have|had|does|do|did|is|was|are|were|can|could|will|would) (not|never) @8
(has|have|had|does|do|did|is|was|are|were|could|would)n't @8
can't @4
cannot @4
(does|do|did) not (have|appear to have|show|reveal|demonstrate|report|endorse|describe|take|recall|exhibit|complain of|note|see|feel|use|meet criteria for|support|indicate|suggest)
not (have|show|reveal|demonstrate|appreciate|complain of|known to have|found to have|associated with|consistent with|suggestive of|compatible with|diagnostic of|indicative of|due to|related to)
not (on|taking|using|receiving|started on)
{_BE} not (a |an )?(good |suitable |appropriate )?candidate for
not (a |an )?(good |suitable |appropriate )?candidate for
not eligible for
ineligible for
fail(s|ed|ing)? to (reveal|show|demonstrate|identify|find)
(do|does|did) not (believe|think|feel|suspect|anticipate|expect)( that)? @12
absence of
absent @3
lack of
lack(s|ed|ing)
free of
clear of
rul(ed|es) out
ruled (him |her |the patient |patient )?out for
exclud(ed|es) @4
(declin|refus)(es|ed|ing) @2
no (need|plan|plans|role|reason) (for|of)
(no|without|denies|denied) (complaint|complaints|report|reports) of
unremarkable for
non @0
resolution of
nothing (to suggest|suggestive of|to indicate)
inconsistent with
rather than
instead of
as opposed to
(no|little|low|without) (concern|concerns|suspicion) (for|of|about)
not (concerning|suspicious|worrisome) for
never (received|had|took|taken|started|on|diagnosed with|given|undergone|underwent|developed)
\\(-\\) @0
\\[ ?\\] @0
""",
    ("negated", "after"): f"""
{_BE} (ruled out|excluded|absent|denied|declined|refused|disproven|disproved) @8
(has|have) been (effectively |definitively )?(ruled out|excluded) @8
(but |and )?(was |were )?(later |subsequently |then |now |effectively |eventually |ultimately )?ruled out @6
{_BE} (essentially |also |all |both |again |entirely |completely )?negative @6
negative (END|,|;|\\)|on|by|in|and|but) @3
neg @1
(not|never)( been| be)? {_SEEN} @6
(is|was|are|were)n't {_SEEN} @6
(is|was|are|were) no longer (suspected|considered|a concern) @5
not currently (taking|receiving|using|on) @5
not (taking|receiving|using) @5
never (been )?(happened|materialized|materialised|developed|occurred|proven|proved|received|took|begun|begin|began) @6
absent @3
denied by @2
(has|have|had) not (occurred|developed|been (given|started|done|performed)) @5
(did|does|do) not (occur|develop|exist|appear) @4
(patient|pt|he|she) den(ies|ied) END @3
: {_NIL} END @0
: {_NIL} (,|;|/|\\() @0
: (not present|not applicable|n/a|never) @0
- {_NIL} END @0
\\? {_NIL} @0
= {_NIL} @0
{_NIL} END @0
\\(-\\) @0
\\({_NIL}\\) @0
""",
    ("possible", "before"): f"""
possibl(e|y) @6
probabl(e|y) @5
presum(ed|ptive|ably) @4
potential(ly)? @3
suspect(s|ed|ing)? @5
suspicious for @6
suspicion (of|for) @6
concern(s|ed)? (for|about|regarding) @6
concerning for @6
worrisome for @6
worr(y|ied) (for|about|that) @6
questionable @3
question of @4
questioning @3
query @3
\\? @1
(rule|ruling) (him |her |patient )?out( for)? @8
r/o @8
to exclude @6
exclud(e|ing) @3
(may|might|could) (be|have|represent|reflect|indicate|suggest) @6
appears to (have|be) @5
suggest(s|ed|ing)? @5
suggestive of @6
suggestion of @5
(most |very |more |less )?likely @5
(very |highly )?unlikely( to (be|represent|have|reflect))? @5
doubt(s|ful|ed)? @4
(differential|ddx|dd)( diagnosis| dx)?( would)?( includes?| including| of| is| was| for)?( :)? @20
(versus|vs) @1
diagnostic consideration of @4
(can ?not|can't|could not|unable to) (entirely |completely |definitively )?{_MAYBE_ASK} @6
not (been )?(entirely |completely |definitively )?(ruled out|excluded) @6
(do|does|did) not (entirely |completely )?(exclude|rule out) @6
(not certain|not sure|unclear|uncertain|unsure|not clear) (if|whether) @8
(equivocal|indeterminate)( for)? @5
work ?up (for|of) @5
evaluat(e|ed|ing|ion) (for|to exclude|to rule out) @5
(tested|screened|worked up) for @4
wonder(s|ed|ing)? (if|about|whether) @6
(thought|felt|believed) (possibly |likely |probably )?to (be|have|represent) @4
compatible with @4
""",
    ("possible", "after"): """
(is |was |remains? |are |were |seems )?(possible|probable|suspected|likely|unlikely|questionable|less likely|not likely|very unlikely|highly unlikely|doubtful|uncertain|unclear|felt unlikely) @4
(is |was |remains? |are |were )?(in|on) the differential @4
(is |was |remains? |are |were )(a possibility|a consideration|a concern) @4
(is|was|are|were|be|been) (being )?(considered|suspected|questioned) @3
(can ?not|could not|can't)( be)? (entirely |completely |definitively |reliably )?(ruled out|excluded) @6
not (yet )?(been )?(entirely |completely |definitively |fully |reliably )?(ruled out|excluded) @6
(has|have|had|is|was) not (yet )?(been )?(entirely |completely |definitively |fully )?(ruled out|excluded) @6
(needs?|remains?|yet|awaits|must|should|will|has)? ?to be (ruled out|excluded|confirmed) @6
(must|should|will) be (ruled out|excluded|confirmed) @6
(vs|versus) @0
\\? @0
or another @3
""",
    ("historical", "before"): """
(history|hx|h/o)( significant| notable| positive| remarkable| known)?( of| for)?( :)? @16
(past|prior|previous|remote|personal|long) (medical |surgical )?(history|hx|h/o)( significant| notable)?( of| for| includes?)?( :)? @30
(pmh|pmhx|psh|pshx)( of| significant for| notable for| includes?| :)? @30
(medical|surgical|oncologic|oncology|cancer|hematologic|haematologic) history( of| significant for| includes?| :)? @20
status post @8
s/p @8
post @1
previous(ly)? @6
prior @4
former(ly)? @5
past @3
remote @3
in the past @8
underwent @6
undergone @4
(discontinu|ceas)(ed|ing) @5
(stopped|stopping|held|holding|d/c'd|dc'd|d/c|quit) @5
no longer (on|taking|requires|requiring|receiving|using|needs|uses|takes|receives|has) @5
off( of)? @2
(switched|changed|transitioned) from @5
(failed|failure of|failing) @5
(intolerant|intolerance) (to|of) @5
(resolved|healed) @2
cured of @3
survivor of @3
(day|days|weeks|months|years|year|month) (post|after|since|from|out from|following) @3
""",
    ("historical", "after"): """
in (the )?(remote |distant )?(past|childhood|remission) @6
(year|years|yr|yrs|month|months|weeks|decade|decades) (ago|earlier|prior) @10
(in|since|on|during|from|of|,|-|\\() YEAR @6
(in|since|on) (january|february|march|april|may|june|july|august|september|october|november|december|early|late|mid) YEAR @8
(has|have|had|was|were|is|been|since|now|then|subsequently)( since| been)? (discontinued|stopped|resolved|held|d/c'd|dc'd|ceased|cured) @6
(discontinued|d/c'd|dc'd|stopped|resolved|ceased) @6
(is |was |has been |now )?in (complete )?remission @5
previously @4
(status post|s/p) @4
no longer (taking|present|on|taken|active|needed|required|using) @5
on hold @4
(was )?completed @4
""",
    ("hypothetical", "before"): """
if @14
if (he|she|they|the patient|patient|pt|there|it|you|ever|i)( has| have| is| are| was| were| had| does| did)? @14
should (he|she|they|the patient|patient|pt|there|you|it)( have| be| ever)? @12
in case( of)? @10
in the event( of| that| there is| she| he)? @12
unless @10
(at )?(increased |high |higher |low |elevated |lifetime |significant |small |some |any |possible )?risks?( factors)?( of| for| include| includes| including) @10
at risk @6
predispos(ed|es|ing|ition)( to| for)? @6
(to )?prevent(s|ed|ing|ion)?( of)? @5
prophyla(xis|ctic|ctically)( for| against| of)? @4
monitor(ing|ed|s)? (closely )?for @8
(watch|watching|look|looking|surveillance|screen|screening|alert|observe|observing|vigilant) (out )?for @8
(return|come back|call)( immediately| here| us| me| the clinic| the office| your doctor| to clinic| to the clinic| to the emergency department| to the ed| to the er)?( if| for| should| with) @14
candida(te|tes|cy) (for|of) @8
eligib(le|ility) for @8
consider(s|ed|ing|ation|ations)?( of| for)? @6
(will|would|may|might|could|can|shall|going to)( likely| eventually| ultimately| probably| also| still| then| possibly)? (need|require|undergo|proceed to|proceed with|be considered for|be evaluated for|be referred for|consider|benefit from|start|begin|initiate|develop|progress to|evolve into|transform to|transform into|become|lead to|cause|result in|enter) @8
(needs?|needing) @4
(would like|wants?|wishes|hopes?|hoping|interested) (to|for|in) @6
options?( would)?( include| includes| including| such as| are| of| for)?( :)? @12
(possibility|potential|role|indication|indications|need) (of|for) @6
(recommend(s|ed|ing|ation)?|advis(e|es|ed))( for)? @6
worried that @8
fear(s|ful)?( of)? @6
until @6
awaiting @5
future @4
(goal|goals|aim|aiming|target)( of| is| for| :) @6
in hopes of @5
what is @2
""",
    ("hypothetical", "after"): """
(is|was|are|were|has been|being|will be|to be|may be|would be|could be|should be|might be|be) (being |be |again |also )?(discussed|planned|considered|recommended|offered|deferred|scheduled|pending|an option|needed|required|advised|proposed|contemplated|anticipated|under consideration) @5
(would|will|may|might|could|should) be @2
(in the future|at some point|down the road|in future) @6
(risk|risks|prophylaxis|prevention|screening|surveillance|precautions|education|awareness) @0
(is |remains )?an option @4
if (needed|necessary|indicated|relapse|progression|appropriate) @4
""",
    ("family", "before"): f"""
family (history|hx|h/o)( is| was)?( significant| notable| positive| remarkable| includes?| included| negative| unremarkable)?( of| for)?( :)? @30
(familial|fam) (history|hx)( of)?( :)? @20
(fh|fhx)( of| positive for| significant for| negative for)?( :)? @20
{_BLOOD} @8
{_BLOOD}'s @6
{_SPOUSE} (has|had|with|died of|diagnosed with|was diagnosed with|is being treated for) @6
{_SPOUSE}'s @2
(maternal|paternal) @6
in (the|his|her) family @8
(relative|relatives|family members?) (with|had|has|have|who|diagnosed) @8
(donor|donate|donated|donating|donates)( her| his| bone marrow| stem cells| marrow)? (for|to) (his|her|a|the|their|another) @8
""",
    ("family", "after"): f"""
in (his |her |their |the |a |an |one |pt's |patient's |maternal |paternal )?({_BLOOD}|{_SPOUSE}|relatives?|family members?|family|multiple relatives) @5
in (his |her |a )(older |younger |identical |maternal |paternal |first degree )({_BLOOD}|relative) @5
(\\(|-|:|,|/|\\( his|\\( her) (maternal |paternal |older |younger )?{_BLOOD} @0
(affecting|involving|diagnosed in|of) (his |her |the )?{_BLOOD} @3
runs in (the|his|her) family @3
for (his |her |their )(own )?{_BLOOD} @4
""",
    ("affirmed", "before"): f"""
not (change|increase|decrease|alter|improve|worsen|affect)(d|s|ed)?( the| her| his)?
no (doubt|question) (that|about|of|regarding)
not (only|just|merely|simply)( because of| due to| with| has| have)?
(do|does|did)( not|n't) (stop|hold|discontinue|skip|miss|interrupt|change)
not (missed|skipped|stopped|discontinued|interrupted|been without)
never (missed|stopped|without)
not (well |adequately |fully |yet |optimally |completely )?(controlled|treated|characterized|characterised|understood|responding|responsive|compliant|adherent|tolerated|tolerating)
without (regard|respect) to
(gram|rh|ph|her2|hiv|egfr|jak2|flt3|culture) negative
known @4
(well )?established @4
confirmed @4
documented @4
{_BLOOD} (was|is|as|served as|acting as|will be)( the| a| her| his)? donor
{_BLOOD} donor
(matched|identical|hla matched|hla identical|haploidentical|haplo|related|mismatched|full)( related)? {_BLOOD}
(per|from|with|by|via|to) (his |her |the |patient's |pt's )?{_BLOOD}
{_BLOOD} (reports|states|says|notes|reported|stated|said|noted|called|calls|drove|accompanies|accompanied|is present|was present|present|at bedside|at the bedside|asks|asked|brought)
""",
    ("aspect", "before"): """
(change|changes|progression|increase|increases|decrease|improvement|worsening|enlargement|growth|loss|delay|interruptions?|difference|adjustments?|alterations?|transformation|acceleration|resistance|recrudescence|exacerbation|flare) (in|of|to|from|with|since|for|on) @5
(progression|worsening|change) (or|and) (change|progression|worsening|transformation|growth|death) (in|of|from) @5
(problems?|issues?|difficulty|difficulties|complications?|adverse effects|adverse events|side effects|adverse reactions?|reactions?|toxicity|toxicities|trouble|barriers|concerns) (with|from|of|to|on|related to|due to|attributable to|after|secondary to|since|while on|regarding|tolerating|during|following) @6
(missed|skipped)( doses| dose)?( of)? @3
(residual|late) (symptoms|complications|problems|effects) (of|from) @3
(reason|need) to (doubt|stop|discontinue|hold|change|adjust) @3
""",
    ("affirmed", "after"): """
: (yes|positive|present|confirmed|known) @0
\\? (yes|y|positive) @0
(is|was|has been) (confirmed|established|proven) @3
""",
    ("stop", "both"): """
but
however
although
though
nevertheless
nonetheless
whereas
while
except( for)?
(aside|apart) from
other than
;
the patient
(patient|pt|he|she|they) (is|was|has|had|does|did|will|continues|reports|states|also)
and (he|she|the patient|patient|pt|they|we)
, (he|she|we|they|i)
who (is|was|has|had|presents|presented|comes|returns|underwent|received|developed)
(presents|presented) (with|for|to)
because
therefore
as (a )?cause (of|for)
(in addition|additionally|otherwise|aside)
""",
    ("stop", "before"): """
which (is|was|were|are|has|had|have|showed|shows|revealed|demonstrated)
(secondary|due|attributed) to
resulting (in|from)
as a result of
cause (of|for)
source of
etiology (of|for)
reason for
since
now (on|with|has|in|status)
today (for|with)
""",
    ("soft_stop", "before"): """
continu(e|es|ed|ing)
remain(s|ed|ing)?
resum(e|es|ed)
tolerat(ing|es|ed)
tak(es|ing|en)
(is|was|are|were|currently|now|been|remains|stable|doing well|maintained) on
(is|are|was|were|has been|have been|had been) (started|restarted|treated|diagnosed|seen|found|admitted|given|placed|known|switched|managed|followed)
(started|restarted|treated|diagnosed|admitted|placed|managed|followed) (on|with|in|for|as|by)
(begin|began|start|started)
(shows|showed|reveals|revealed|demonstrates|demonstrated)
(is|are|was|were) (present|noted|seen|positive|consistent|likely|possible)
(has|have|had|having)
(,|and) (is|are|was|were|now|currently|with|has|had|on|known|also|does|did|will|admits|endorses|reports|positive|complains)
with (known|underlying|concurrent|longstanding|long standing)
(positive|pos) for
(admits|admits to|endorses|reports)
(complains|complained) of
(assessment|impression|diagnosis|plan) :
\\(\\+\\) @0
\\[ x \\]
""",
}
