"""The part of try.sh that needs sockets: two people follow a room on the coordinator, one message is
sent by socket and one through the function, and each must reach both of them.

usage: chat.py FUNCTION ROOM HOST_TOKEN GUEST_TOKEN
"""

import contextlib
import json
import sys
import urllib.request

from websockets.sync.client import connect

FUNCTION, ROOM, *TOKENS = sys.argv[1:]
PATIENCE_S = 30


def call(path, token, body):
    """Asks the function."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    data = json.dumps(body).encode()
    request = urllib.request.Request(FUNCTION + path, data, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def follow(token, open_until):
    """Takes a ticket from the function to the coordinator that has the room, and follows it there."""
    where = call("/v1/socket", token, {"room": ROOM})
    print(f"   a ticket for {where['url']}")
    url = f"{where['url']}?ticket={where['ticket']}"
    socket = open_until.enter_context(connect(url, subprotocols=[where["protocol"]]))
    say(socket, {"type": "subscribe", "room": ROOM, "limit": 0})
    until(socket, lambda frame: frame["type"] == "subscribed")
    return socket


def say(socket, frame):
    socket.send(json.dumps(frame))


def until(socket, is_wanted):
    """The next frame that is wanted; presence and the like are passed over."""
    while True:
        frame = json.loads(socket.recv(timeout=PATIENCE_S))
        if is_wanted(frame):
            return frame


def everybody_reads(sockets, text):
    for name, socket in sockets.items():
        event = until(socket, lambda frame: frame["type"] == "event" and frame.get("body") == text)
        print(f"   {name} reads at {event['seq']}, from {event['user']['username']}: {event['body']}")


with contextlib.ExitStack() as until_the_end:
    host, guest = (follow(token, until_the_end) for token in TOKENS)
    sockets = {"the host": host, "the guest": guest}

    print("-- the host sends by socket")
    say(host, {"type": "send", "room": ROOM, "client_id": "first", "body": "Milk first?"})
    everybody_reads(sockets, "Milk first?")

    print("-- the guest sends through the function")
    call(f"/v1/rooms/{ROOM}/messages", TOKENS[1], {"body": "Tea first, always."})
    everybody_reads(sockets, "Tea first, always.")
