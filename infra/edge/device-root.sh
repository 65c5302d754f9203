#!/usr/bin/env bash
# Builds `reelflow-device:bookworm-ARCH`, Debian as on a device, which stands for Raspberry Pi OS Lite. Prints its id.
# `device-root.sh arm64`, or `amd64` with systemd as the first process; `FORCE=1` rebuilds; `MIRROR=` names a mirror.
set -euo pipefail

architecture=${1:?arm64 or amd64}
name=reelflow-device:bookworm-$architecture
packages=python3,python3-venv,ca-certificates
[[ $architecture == amd64 ]] && packages+=,systemd,systemd-sysv,dbus

if [[ -z "${FORCE:-}" ]] && docker image inspect --format '{{.Id}}' "$name" 2>/dev/null; then
  exit 0
fi
command -v debootstrap >/dev/null || { echo "no debootstrap: apt-get install debootstrap" >&2; exit 1; }
[[ $EUID == 0 ]] || { echo "debootstrap needs root: sudo $0" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debootstrap --arch="$architecture" --variant=minbase --include="$packages" bookworm "$work/root" ${MIRROR:+"$MIRROR"} >&2
cd "$work/root"
rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/*
tar --create --numeric-owner . | docker import --platform="linux/$architecture" - "$name"
