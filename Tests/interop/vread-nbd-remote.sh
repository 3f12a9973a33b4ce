#!/bin/sh
# Disks on other hosts come through nbdkit's plugins, over http and ssh; with delays on the way, many requests are under
# way at once.
. "$(dirname "$0")/../cli/functions.sh"

requires nbdkit python3
cp --sparse=always "$(make_disk 192M 16M)" disk.raw
chmod u+w disk.raw
truncate -s 48M disk.raw

echo '* http'
python3 "$VPIPE_TOP/Tests/interop/http-ranges.py" >port &
web=$!
later kill $web
within 10 test -s port
url=http://127.0.0.1:$(cat port)/disk.raw
vread --raw [ nbdkit curl url="$url" ] | cmp - disk.raw
works vread --list --json [ nbdkit curl url="$url?signature=rosebud" cookie=rosebud ]
shows '"name":"disk"'
if grep rosebud stdout stderr; then fail 'a secret is told'; fi
fails 2 vread --raw [ nbdkit curl url="$url.not" ]
says 'nbdkit: ' '[ nbdkit ... ]:'
works vstore init -r R
works vstore put -q -r R --name web [ nbdkit curl url="$url" ]
vrestore -r R web --raw | cmp - disk.raw

echo '* delays'
# 96 pieces of 512 KiB, one after the other, would take 10 s and more.
truncate -s 1G slow.raw
cp --sparse=never disk.raw slow.raw
started=$(date +%s)
vread --raw [ nbdkit --threads=64 --filter=delay file slow.raw delay-read=100ms ] | cmp - slow.raw
[ $(($(date +%s) - started)) -lt 8 ] || fail 'requests wait for each other'

echo '* ssh'
command -v sshd >/dev/null || skip 'missing: sshd'
for kind in host user; do ssh-keygen -q -t ed25519 -N '' -f $kind; done
cp user.pub authorized
chmod 600 authorized
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >config <<C
Port $port
ListenAddress 127.0.0.1
HostKey $PWD/host
PidFile $PWD/sshd.pid
AuthorizedKeysFile $PWD/authorized
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp internal-sftp
C
# Where sshd is no service, the folder that it wants is not there.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
"$(command -v sshd)" -D -e -f "$PWD/config" >sshd.log 2>&1 &
sshd=$!
later kill $sshd
within 10 grep -q listening sshd.log
echo "[127.0.0.1]:$port $(cut -d ' ' -f 1,2 host.pub)" >known
vread --raw [ nbdkit ssh host=127.0.0.1 port="$port" user="$(id -un)" identity="$PWD/user" known-hosts="$PWD/known" \
  "$PWD/disk.raw" ] | cmp - disk.raw
works vread --list --json [ nbdkit ssh host=127.0.0.1 port="$port" user="$(id -un)" identity="$PWD/user" \
  known-hosts="$PWD/known" "$PWD/disk.raw" ]
shows '"name":"disk"' '"size":50331648'
