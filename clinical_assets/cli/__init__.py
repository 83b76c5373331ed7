"""The command line: demo, run, ui, status, query, doctor, dictionary. Nothing heavy is imported before a command needs it."""
