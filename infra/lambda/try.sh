#!/usr/bin/env bash
# Tries the HTTP half as a Lambda function on this machine: `cargo lambda watch` emulates Lambda, a
# coordinator runs beside it, and two people register, log in, meet in a room and chat. It needs
#   PostgreSQL and Redis   DATABASE_URL=postgres://… REDIS_URL=redis://…, a database that may be filled
#   cargo-lambda           pip install cargo-lambda websockets
#   curl and jq
# and says what it does. Everything that it starts ends with it; what people wrote stays in the database.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${DATABASE_URL:?name a PostgreSQL database for this: postgres://user:password@127.0.0.1/chatx}"
: "${REDIS_URL:?name a Redis: redis://127.0.0.1:6379}"
export DATABASE_URL REDIS_URL
# Seals the signing keys in the database, so it must be the same the next time.
export CHATX_CLUSTER_SECRET="${CHATX_CLUSTER_SECRET:-a secret for trying things on one machine}"
for tool in cargo cargo-lambda curl jq python3; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed; see the head of $0" >&2; exit 1; }
done
python3 -c "import websockets" || { echo "pip install websockets, for the part with sockets" >&2; exit 1; }

function_port="${FUNCTION_PORT:-9000}"
coordinator_port="${COORDINATOR_PORT:-8091}"
function_url="http://127.0.0.1:$function_port"
logs="$(mktemp -d)"
started=()
say() { printf '\n== %s\n' "$*"; }
stop() {
    local outcome=$?
    [ "$outcome" = 0 ] || tail -n 20 "$logs"/*.log >&2 2>/dev/null || true
    for id in "${started[@]}"; do
        kill "$id" 2>/dev/null && wait "$id" || true
    done
    rm -rf "$logs"
}
trap stop EXIT

until_answered() {
    local url="$1" id="$2"
    until curl --silent --fail --output /dev/null --max-time 600 "$url"; do
        kill -0 "$id" 2>/dev/null || { echo "it ended before it answered at $url" >&2; exit 1; }
        sleep 0.2
    done
}

# One request to the function: `ask STATUS METHOD PATH [BODY [TOKEN]]` prints the answer's body, and ends
# all when its status is another one.
ask() {
    local expected="$1" method="$2" path="$3" body="${4:-}" token="${5:-}" status
    status="$(curl --silent --show-error --output "$logs/answer" --write-out '%{http_code}' \
        --request "$method" "$function_url$path" --header 'content-type: application/json' \
        ${token:+--header "authorization: Bearer $token"} ${body:+--data "$body"})"
    echo "   $method $path: $status" >&2
    if [ "$status" != "$expected" ]; then
        echo "   $expected was expected: $(cat "$logs/answer")" >&2
        return 1
    fi
    cat "$logs/answer"
}

say "build, and bring the database up to date"
cargo build --package chatx --bins
target/debug/chatx migrate

say "a coordinator at port $coordinator_port, for sockets"
CHATX_LISTEN="127.0.0.1:$coordinator_port" target/debug/chatx coordinator 2>"$logs/coordinator.log" &
started+=($!)
until_answered "http://127.0.0.1:$coordinator_port/livez" $!

say "the function at port $function_port, emulated by cargo-lambda"
# Somebody who tries it again should not have to wait until their address may register again.
CHATX_PUBLIC_URL="$function_url" CHATX_RATE_REGISTER=100/1s cargo lambda watch --package chatx --bin lambda --ignore-changes --wait \
    --invoke-address 127.0.0.1 --invoke-port "$function_port" >"$logs/function.log" 2>&1 &
started+=($!)
until_answered "$function_url/readyz" $!
echo "   it is ready: $(curl --silent "$function_url/readyz")"

say "two people register and log in"
mark="$(date +%s)"
password="plain sailing 1843"
tokens=()
for name in "host$mark" "guest$mark"; do
    ask 201 POST /v1/auth/register \
        "{\"username\":\"$name\",\"email\":\"$name@example.com\",\"password\":\"$password\"}" >/dev/null
    token="$(ask 200 POST /v1/auth/login "{\"login\":\"$name\",\"password\":\"$password\"}" | jq -re .access_token)"
    tokens+=("$token")
done
host="${tokens[0]}" guest="${tokens[1]}"

say "one makes a private room, the other joins it"
room="$(ask 201 POST /v1/rooms \
    "{\"name\":\"Tea room $mark\",\"visibility\":\"private\",\"password\":\"milk first\"}" "$host" | jq -re .id)"
ask 403 POST "/v1/rooms/$room/members" '{"password":"sugar first"}' "$guest" | jq -re '"   " + .error.message'
ask 201 POST "/v1/rooms/$room/members" '{"password":"milk first"}' "$guest" >/dev/null

say "they chat through the coordinator"
python3 infra/lambda/chat.py "$function_url" "$room" "$host" "$guest"

say "and the function has it in the room's history"
ask 200 GET "/v1/rooms/$room/messages" "" "$guest" | jq -re '.messages[] | "   \(.seq) \(.user.username): \(.body)"'

say "everything works"
