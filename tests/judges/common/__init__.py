"""What all judges share: the web they serve, the service they try, and the hands they act with."""
