"""From files, folders and streams to the objects in them, with the line of each value."""
