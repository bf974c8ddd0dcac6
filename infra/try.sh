#!/usr/bin/env bash
# Tries infra/compose.yaml on a Linux machine without a container engine. Each process is started as its
# container would start it, by what is written there and in the Dockerfile: same command, environment,
# address, names, ports, user, order and health checks, in a network of its own. Two people then talk
# through the load balancer while a coordinator and one of the handlers are killed and come back, and at
# the end all are stopped. What these files say and is not understood is an error.
#
# It needs Rust, `ip` (iproute2), `unshare` (util-linux), and the right to make network namespaces, which
# root always has. PostgreSQL, Redis and HAProxy are this system's, or are unpacked from its packages.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --package chatx --bin chatx --package chatx-e2e --bin stack
exec target/debug/stack
