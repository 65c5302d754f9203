"""The one piece of code that moves the aliases `champion` and `previous`."""
