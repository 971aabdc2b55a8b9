"""The settings that the documentation of each project requires. A module is named after the project's distribution."""
