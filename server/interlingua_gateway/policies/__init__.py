"""What stands around every call, one policy a module, in the order of `app/stack.py`."""
