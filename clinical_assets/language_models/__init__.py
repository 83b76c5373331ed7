"""The engine that answers questions about a text with a language model. No subject knows a backend; nothing here knows a subject.

`catalogue` says which models there are; `answers` what is asked and what comes back; `prompts` how it is worded. Behind
:class:`~clinical_assets.language_models.answers.Backend` stand weights in this process (`scoring`) and a server (`server`).
"""
