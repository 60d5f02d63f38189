#!/usr/bin/env bash
# A walk through the REST interface with curl: start, look, act, take a picture, pause, close.
#
#   examples/rest_walk.sh                            against http://127.0.0.1:8765
#   GHOSTCAST_URL=http://host:8765 GHOSTCAST_TOKEN=... examples/rest_walk.sh
#
# It needs no network and no LiveKit. Answers are printed as they come; pipe them into jq to read them
# more easily.
set -euo pipefail

base="${GHOSTCAST_URL:-http://127.0.0.1:8765}"
room=rest-walk
picture="$(mktemp --suffix=.png)"

# call METHOD PATH [BODY]
call() {
  printf '\n> %s %s %s\n' "$1" "$2" "${3:-}"
  curl --silent --show-error --fail-with-body --request "$1" \
    ${GHOSTCAST_TOKEN:+--header "Authorization: Bearer $GHOSTCAST_TOKEN"} \
    ${3:+--data "$3"} "$base$2"
  echo
}
act() { call POST "/sessions/$room/actions" "$1"; }

page='data:text/html,<title>Walk</title><input id=who placeholder=Name><button onclick=document.title=who.value>Greet</button><p style=height:3000px>'

call GET /health
call POST /sessions "{\"room_name\": \"$room\", \"initial_url\": \"$page\", \"viewport_width\": 800, \"viewport_height\": 600}"
# From here on the session goes, whatever fails.
trap 'call DELETE "/sessions/$room"' EXIT

# Elements have an index each, from 1 on; a click goes to the middle of what is visible of the element.
call GET "/sessions/$room/context?elements=true"
act '{"action_type": "type", "params": {"index": 1, "text": "Ada"}}'
act '{"action_type": "click", "params": {"index": 2}}'
act '{"action_type": "scroll", "params": {"direction": "down"}}'

# A failed action is an answer like any other: success is false, error_kind says why, and context has
# the nearest elements to try instead.
act '{"action_type": "click", "params": {"index": 42}}'

printf '\n> GET /sessions/%s/screenshot\n' "$room"
curl --silent --show-error --fail ${GHOSTCAST_TOKEN:+--header "Authorization: Bearer $GHOSTCAST_TOKEN"} \
  --output "$picture" "$base/sessions/$room/screenshot?format=png"
echo "$picture"

call POST "/sessions/$room/pause"
call POST "/sessions/$room/resume"
call GET "/sessions/$room"
