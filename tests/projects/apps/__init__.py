"""The models that a site adds to a project, with the project's fields, base classes and managers: one app per project.

Their migrations are made when the tests run, because the definitions of the fields depend on the project's version.
"""
