"""Where tables live: lake contracts, atomic files, the copy-on-write warehouse.

Put here what every subject needs to read or write data safely. Keep subjects, Dagster and models out.
"""
