"""A worker that does as it is told, well or badly: what the service's bridge has to live with."""

import json
import os
import sys
import threading
import time

lock = threading.Lock()


def tell(**frame):
    """Writes a frame."""
    data = json.dumps(frame).encode()
    with lock:
        sys.stdout.buffer.write(len(data).to_bytes(4, "big") + data)
        sys.stdout.buffer.flush()


def perform(number, action, data):
    """Does one request."""
    if action == "echo":
        tell(id=number, result={**data, "pid": os.getpid()})
    elif action == "wait":
        time.sleep(data["seconds"])
        tell(id=number, result=data)
    elif action == "steps":
        tell(id=number, progress={"step": 1, "of": 2, "doing": "paints"})
        time.sleep(1)
        tell(id=number, result="painted")
    elif action == "stray":
        tell(id=number + 1000, result="for nobody")
        tell(id=None, error="for nobody")
        with lock:
            sys.stdout.buffer.write(b"\x00\x00\x00\x02[]")
        tell(id=number, result="for somebody")
    elif action == "nulls":
        tell(id=number, progress=None, result="done", error=None)
    elif action == "noise":
        # More than a pipe holds, with a line that is too long and one that is no text.
        sys.stderr.buffer.write(b"x" * 10_000 + b"\n\xff\n" + (b"y" * 99 + b"\n") * 3000)
        sys.stderr.buffer.flush()
        tell(id=number, result="said")
    elif action == "refuse":
        tell(id=number, error=data["text"])
    elif action == "die":
        os._exit(7)
    elif action != "silent":
        tell(id=number, error="Unknown action")


def main():
    """Serves until the end of the input."""
    print(f"odd worker {os.getpid()} {sys.argv[1:]}", file=sys.stderr, flush=True)
    while head := sys.stdin.buffer.read(4):
        asked = json.loads(sys.stdin.buffer.read(int.from_bytes(head, "big")))
        with open(sys.argv[1], "a") as calls:
            calls.write(asked["action"] + "\n")
        threading.Thread(target=perform, args=(asked["id"], asked["action"], asked["data"]), daemon=True).start()


main()
