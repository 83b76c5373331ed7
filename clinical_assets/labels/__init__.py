"""Labels: what each labeller says of each note and field, with evidence, and the ledger of what is already made."""
