#!/usr/bin/env bash
# Installs reelflow on Raspberry Pi OS, or another Debian with systemd: `sudo ./install.sh`, beside what `make wheel` built.
# A new version is installed beside the old one, tested, and then takes its place; running cameras are restarted.
#   --uninstall   removes the program and the unit; /etc/reelflow and what services keep stay
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
link=/opt/reelflow
versions=/opt/reelflow-versions
units=/etc/systemd/system
watch_unit=reelflow-watch@.service
update_unit=reelflow-update.service
update_timer=reelflow-update.timer
update_user=reelflow-update
folders=/etc/tmpfiles.d/reelflow.conf

fail() { echo "error: $*" >&2; exit 1; }
systemd_runs() { [[ -d /run/systemd/system ]]; }  # sd_booted(3)
watching() { systemctl list-units --plain --no-legend --state=active 'reelflow-watch@*' | awk '{print $1}'; }

[[ $EUID == 0 ]] || fail "this writes to /opt and $units: run it by sudo"
if [[ ${1:-} == --uninstall ]]; then
  if systemd_runs; then
    watching | xargs -r systemctl disable --now
    if [[ -e $units/$update_unit ]]; then systemctl disable --now "$update_timer" "$update_unit"; fi
  fi
  rm -rf "$link" "$versions" "${units:?}/$watch_unit" "${units:?}/$update_unit" "${units:?}/$update_timer" "$folders" /usr/local/bin/reelflow
  if systemd_runs; then systemctl daemon-reload; fi
  echo "reelflow is removed; /etc/reelflow, /var/lib/private/reelflow and /var/lib/reelflow-bundles are left"
  exit 0
fi
[[ $# == 0 ]] || fail "unknown option $1: there is --uninstall"

(cd "$here" && sha256sum --quiet --check SHA256SUMS) || fail "a file is not as it was built: copy the folder dist/ again"
wheels=("$here"/reelflow-*.whl)
[[ ${#wheels[@]} == 1 && -f ${wheels[0]} ]] || fail "expected one reelflow-*.whl beside this script: make wheel, and copy dist/"
command -v python3 >/dev/null || fail "there is no python3: apt-get install python3 python3-venv"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$(python3 --version) is too old: 3.11 or newer"
python3 -c 'import ensurepip, venv' 2>/dev/null || fail "there is no python3-venv: apt-get install python3-venv"
[[ $(getconf LONG_BIT) == 64 ]] || fail "this system has 32 bits, for which LiteRT has no wheel: install the 64-bit one"

version=$versions/$(sha256sum "$here/SHA256SUMS" | cut -c1-16)
if [[ ! -e $version/installed ]]; then
  rm -rf "$version"
  mkdir -p "$versions"
  python3 -m venv "$version"
  "$version/bin/python" -m pip install --quiet --only-binary :all: --require-hashes -r "$here/edge.txt"
  "$version/bin/python" -m pip install --quiet --no-index --no-deps "${wheels[0]}"
  "$version/bin/reelflow" --version >/dev/null
  touch "$version/installed"
fi

ln -sfn "$version" "$link.new"
mv -T "$link.new" "$link"
ln -sfn "$link/bin/reelflow" /usr/local/bin/reelflow
install -d -m 0700 /etc/reelflow
install -D -m 0644 "$here/$watch_unit" "$units/$watch_unit"
install -D -m 0644 "$here/$update_unit" "$units/$update_unit"
install -D -m 0644 "$here/$update_timer" "$units/$update_timer"
install -D -m 0644 "$here/reelflow.conf" "$folders"
id "$update_user" >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin "$update_user"
if systemd_runs; then
  systemd-tmpfiles --create "$folders"
  systemctl daemon-reload
  watching | xargs -r systemctl restart
  systemctl try-restart "$update_unit"
fi
find "$versions" -mindepth 1 -maxdepth 1 ! -path "$version" -exec rm -rf {} +
echo "$("$link/bin/reelflow" --version) is installed; a camera is described in /etc/reelflow/NAME.env, as $units/$watch_unit says"
