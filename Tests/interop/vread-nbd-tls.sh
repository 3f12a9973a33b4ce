#!/bin/sh
# A disk comes over TLS, by certificates and by a shared key, and never without it where the URI says nbds; who shows the
# wrong certificate is refused; the key's file and the user are not told.
. "$(dirname "$0")/../cli/functions.sh"

requires nbdkit qemu-nbd openssl
small_disk disk.raw

# serve COMMAND...: one server at a time, at the Unix socket `socket`.
serve() {
  rm -f socket
  "$@" &
  server=$!
  within 10 test -S socket
}
stop() {
  kill "$server" 2>/dev/null || return 0
  wait "$server" || :
}
later stop
server=

echo '* certificates'
mkdir good other
for place in good other; do
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$place CA" -keyout $place/ca-key.pem \
    -out $place/ca-cert.pem 2>/dev/null
done
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout good/server-key.pem -out request.pem 2>/dev/null
echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' >names
openssl x509 -req -in request.pem -CA good/ca-cert.pem -CAkey good/ca-key.pem -CAcreateserial -days 2 -extfile names \
  -out good/server-cert.pem 2>/dev/null
cp good/ca-cert.pem client.pem
mkdir client stranger
mv client.pem client/ca-cert.pem
cp other/ca-cert.pem stranger/
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
rm -f pid
nbdkit -f -P pid -i 127.0.0.1 -p "$port" --tls=require --tls-certificates="$PWD/good" file disk.raw &
server=$!
within 10 test -s pid
vread --raw "nbds://localhost:$port/?tls-certificates=$PWD/client" | cmp - disk.raw
vread --raw "nbds://127.0.0.1:$port/?tls-certificates=$PWD/client" | cmp - disk.raw
fails 2 vread --raw "nbds://localhost:$port/?tls-certificates=$PWD/stranger"
says "vread: nbds://localhost:$port/:" certificate
mkdir empty
for query in '' "?tls-certificates=$PWD/empty" "?tls-certificates=$PWD/none" '?tls-certificates=%'; do
  fails 64 vread --raw "nbds://localhost:$port/$query"
  says 'nobody would check who the server is' 'hint: add ?tls-certificates=FOLDER'
done
fails 2 vread --raw "nbd://localhost:$port/"
stop

echo '* a shared key'
echo "alice:$(openssl rand -hex 32)" >alice.psk
echo "alice:$(openssl rand -hex 32)" >mallory.psk
chmod 600 ./*.psk
serve nbdkit -f -U socket --tls=require --tls-psk="$PWD/alice.psk" file disk.raw
uri="nbds+unix://alice@/web01?socket=$PWD/socket"
vread --raw "$uri&tls-psk-file=$PWD/alice.psk" | cmp - disk.raw
works vread "$uri&tls-psk-file=$PWD/alice.psk"
if grep -a 'alice' stdout stderr; then fail 'the user or the key is told'; fi
grep -aqF "source=nbds+unix:///web01?socket=$PWD/socket" stdout || fail 'the source is not told'
fails 2 vread --raw "$uri&tls-psk-file=$PWD/mallory.psk"
never_says mallory alice
fails 2 vread --raw "nbd+unix://alice@/web01?socket=$PWD/socket"
stop
# What agreed to go without would be asked for in vain.
serve nbdkit -f -U socket file disk.raw
fails 2 vread --raw "$uri&tls-psk-file=$PWD/alice.psk"
stop

echo '* a shared key, with QEMU'
mkdir keys
cp alice.psk keys/keys.psk
serve qemu-nbd -r -t -f raw -e 4 -k "$PWD/socket" \
  --object tls-creds-psk,id=tls,dir="$PWD/keys",endpoint=server --tls-creds tls disk.raw
vread --raw "nbds+unix://alice@/?socket=$PWD/socket&tls-psk-file=$PWD/alice.psk" | cmp - disk.raw
