#!/usr/bin/env bash
# Installs Docker from Debian where there is none, starts its engine where none answers, and waits for it.
set -euo pipefail

[[ $EUID == 0 ]] || { echo "no Docker engine answers: start it, or run this as root" >&2; exit 1; }
command -v dockerd >/dev/null || { apt-get update && apt-get install -y docker.io debootstrap; }
nohup dockerd >/var/log/dockerd.log 2>&1 &
for _ in $(seq 60); do
  docker info >/dev/null 2>&1 && exit 0
  sleep 1
done
echo "dockerd does not answer after a minute; its last lines:" >&2
tail -5 /var/log/dockerd.log >&2
exit 1
