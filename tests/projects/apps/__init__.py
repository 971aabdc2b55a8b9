"""What a site adds to a project: models made of its fields, bases and managers, one app a project.

Their migrations are made when they are run, as their fields' definitions change with the project.
"""
