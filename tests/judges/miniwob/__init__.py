"""MiniWoB++: public small tasks that reward themselves, solved by the same moves through both hands."""
