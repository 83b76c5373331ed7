"""Statistics that know no subject: arrays and counts in, numbers and figures out."""
