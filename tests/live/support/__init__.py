"""What the live tests share: the processes, the clients, the pages, and how to read a picture."""
