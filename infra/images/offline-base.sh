#!/usr/bin/env bash
# Builds `reelflow-base:bookworm`, Debian with Python 3.11, for machines without a registry.
# Prints the id of the image. `FORCE=1` rebuilds it with security updates; `MIRROR=` names another Debian mirror.
set -euo pipefail

name=reelflow-base:bookworm
# Only for installing, mounting and logging in: steps and the MLflow server do not need these; many are setuid.
unneeded=(
  adduser apt bsdutils debian-archive-keyring e2fsprogs gpgv libapt-pkg6.0 libext2fs2 libgnutls30 libp11-kit0
  libpam-modules libpam-modules-bin libpam-runtime libpam0g libss2 login logsave mount ncurses-bin openssl
  passwd sysvinit-utils tzdata util-linux util-linux-extra
)
maintenance=(debconf debianutils init-system-helpers perl-base usr-is-merged)  # their scripts need these

if [[ -z "${FORCE:-}" ]] && docker image inspect --format '{{.Id}}' "$name" 2>/dev/null; then
  exit 0
fi
command -v debootstrap >/dev/null || { echo "no debootstrap: apt-get install debootstrap" >&2; exit 1; }
[[ $EUID == 0 ]] || { echo "debootstrap needs root: sudo $0" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
debootstrap --variant=minbase --include=python3,ca-certificates bookworm "$root" ${MIRROR:+"$MIRROR"} >&2

purge() {
  chroot "$root" dpkg --purge --force-depends --force-remove-essential --force-remove-protected "$@" \
    >"$work/purge.log" 2>&1 || { cat "$work/purge.log" >&2; exit 1; }
}
purge "${unneeded[@]}"
purge "${maintenance[@]}"

cd "$root"
find usr/share/doc -type f ! -name copyright -delete  # licences stay
rm -rf etc/apt usr/lib/*-linux-gnu/gconv usr/share/{bash-completion,info,lintian,locale,man} var/{cache,log}/* var/lib/apt
rm -rf usr/lib/python3.11/{ensurepip,lib2to3,pydoc_data} usr/lib/python3/dist-packages/__pycache__
find . -xdev -type f -perm /6000 -exec chmod a-s {} +
: >etc/machine-id
tar --create --numeric-owner --sort=name . | docker import --change 'ENV PYTHONUNBUFFERED=1' - "$name"
