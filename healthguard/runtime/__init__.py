"""The tools that every part of healthguard uses at run time: log, threads, deadlines, and safe display of text."""
