"""A comparison of the schema check with the ORM: the results of an application's operations after random changes."""
