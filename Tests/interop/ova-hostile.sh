#!/bin/sh
# An OVA that is cut off, changed or made to harm: an error, no seal, nothing opened that was not named, and little memory.
# shellcheck disable=SC2002 # pipes are what is tested
. "$(dirname "$0")/../cli/functions.sh"

requires qemu-img python3 strace iconv /usr/bin/time

for disk in one two; do
  truncate -s 24M $disk.raw
  noise 200K $disk | put_at $disk.raw 1M
  qemu-img convert -f raw -O vmdk -o subformat=streamOptimized $disk.raw app-$disk.vmdk
done

cat >pack.py <<'EOS'
"""pack.py OUT KIND: an OVA with something wrong in it; made with Python's own tar."""
import hashlib, io, sys, tarfile

out, kind = sys.argv[1:]
disks = {name: open(name, "rb").read() for name in ("app-one.vmdk", "app-two.vmdk")}
names = list(disks)
hrefs = dict(zip(names, names))
algorithm = "sha256"
if kind in ("sha1", "sha512"):
    algorithm = kind
if kind == "path":
    hrefs[names[1]] = "../app-two.vmdk"
if kind == "absolute":
    hrefs[names[1]] = "/etc/passwd"
if kind == "url":
    hrefs[names[1]] = "http://example.com/disk.vmdk"
size = {"size": lambda data: len(data) + 1}.get(kind, len)
head, extra = '<?xml version="1.0"?>', ""
if kind == "doctype":
    head += '<!DOCTYPE Envelope [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    extra = "<Info>&b;</Info>"
if kind == "external":
    head += '<!DOCTYPE Envelope [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    extra = "<Info>&a;</Info>"
if kind == "deep":
    extra = "<a>" * 100000
if kind == "many-elements":
    extra = "<a/>" * 200000
if kind == "no-xml":
    head = "hello"
if kind == "huge-ovf":
    extra = "<Info>" + "x" * (9 << 20) + "</Info>"
if kind == "delta":
    extra = '<DiskSection><Disk diskId="c" fileRef="f0" parentRef="d0"/></DiskSection>'
if kind == "no-file":
    extra = '<DiskSection><Disk diskId="c" fileRef="f9"/></DiskSection>'
if kind == "capacity":
    extra = f'<DiskSection><Disk diskId="c" fileRef="f1" capacity="{2**63}" capacityAllocationUnits="byte*2^9"/></DiskSection>'
chunk = ' chunkSize="1000"' if kind == "chunks" else ""
ovf = head + "<Envelope><References>" + "".join(
    f'<File id="f{i}" href="{hrefs[n]}" size="{size(disks[n])}"{chunk}/>' for i, n in enumerate(names))
if kind == "many-files":
    ovf += "".join(f'<File id="g{i}" href="x{i}"/>' for i in range(5000))
ovf += "</References><DiskSection>" + "".join(
    f'<Disk diskId="d{i}" fileRef="f{i}" capacity="25165824"/>' for i, n in enumerate(names))
ovf += f"</DiskSection>{extra}</Envelope>"
if kind == "no-disks":
    ovf = "<Envelope><References/></Envelope>"
if kind == "other-root":
    ovf = "<Domain/>"
ovf = ovf.encode()

digests = {"app.ovf": ovf, **disks}
manifest = "".join(f"{algorithm.upper()}({name})= {hashlib.new(algorithm, data).hexdigest()}\n"
                   for name, data in digests.items())
if kind == "manifest-extra":
    manifest += "SHA256(other.vmdk)= " + "0" * 64 + "\n"
if kind == "manifest-line":
    manifest += "nonsense\n"
if kind == "manifest-short":
    manifest += "SHA256(app.ovf)= 00\n"
if kind == "manifest-kind":
    manifest += "MD5(app.ovf)= " + "0" * 32 + "\n"
if kind in ("sha1", "sha256", "sha512"):
    # One byte of the second disk differs from what its digest was made of.
    changed = bytearray(disks["app-two.vmdk"])
    changed[600] ^= 1
    disks["app-two.vmdk"] = bytes(changed)
if kind == "digest-of-ovf":
    ovf += b"\n"

with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
    def add(name, data, type=tarfile.REGTYPE, link=""):
        info = tarfile.TarInfo(name)
        info.size, info.type, info.linkname = len(data), type, link
        tar.addfile(info, io.BytesIO(data))

    if kind != "no-ovf":
        add("app.ovf", ovf)
    if kind == "two-ovfs":
        add("b.ovf", ovf)
    if kind != "late-manifest":
        add("app.mf", manifest.encode())
    if kind == "up":
        add("../../evil", b"x")
    if kind == "root":
        add("/tmp/vpipe-evil", b"x")
    if kind == "many-members":
        for number in range(5000):
            add(f"file{number}", b"")
    for name, data in disks.items():
        if kind == "missing" and name == names[1]:
            continue
        if name == names[1] and kind in ("symlink", "hardlink", "device", "fifo"):
            type = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "device": tarfile.BLKTYPE,
                    "fifo": tarfile.FIFOTYPE}[kind]
            add(name, b"", type, "/etc/passwd" if kind == "symlink" else names[0])
            continue
        add(name, data)
        if kind == "twice":
            add(name, data)
    if kind == "late-manifest":
        changed = manifest.replace(hashlib.sha256(disks[names[0]]).hexdigest(), "0" * 64)
        add("app.mf", changed.encode())
EOS

# opens COMMAND...: nothing of what it opens is foreign.
opens() {
  strace -f -qq -e trace=open,openat,openat2,connect,execve -o trace "$@" >/dev/null 2>&1 || true
  if grep -E 'passwd|evil|connect\(|\.\./' trace >&2; then fail "$* opens what it must not"; fi
  [ "$(grep -c execve trace)" = 1 ] || fail "$* starts programs"
}

# refused KIND STATUS TEXT: both roads end so.
refused() {
  python3 pack.py bad.ova "$1"
  fails "$2" vread bad.ova
  says "$3"
  cp stdout stream
  fails 4 vhd create --disk 0 -o bad.vhd <stream
  absent bad.vhd
  # The pipe's words are the same, where it comes so far.
  fails "$2" vread - <bad.ova
  says "$3"
  opens vread --raw --disk 0 bad.ova
}

echo '* digests, of disks that are taken and others'
for kind in sha1 sha256 sha512; do
  refused $kind 65 'app-two.vmdk: its SHA'
  fails 65 vread --disk app-one bad.ova
  cat bad.ova | fails 65 vread --disk app-one -
  fails 65 vhd create --disk app-one -o bad.vhd bad.ova
  absent bad.vhd
done
refused digest-of-ovf 65 'app.ovf: its SHA256'
refused late-manifest 65 'app-one.vmdk: its SHA256'
refused manifest-extra 65 'other.vmdk, which the manifest names, is not in it'
refused manifest-line 65 'app.mf at byte'
refused manifest-short 65 'with other than 64 digits'
refused manifest-kind 63 'MD5'

echo '* what the OVF must not say'
for kind in path absolute url; do refused $kind 65 'which is no plain name'; done
refused size 65 'but the OVF tells of'
refused missing 65 'app-two.vmdk'
refused doctype 63 'DOCTYPE'
refused external 63 'DOCTYPE'
refused deep 65 'more than 64 elements in each other'
refused many-elements 65 'more than 100000 elements'
refused many-files 65 'more than 4096 files'
refused huge-ovf 65 'over the limit'
refused no-xml 65 'XML: '
refused other-root 65 'no Envelope'
refused no-disks 65 'it has no disk'
refused delta 63 'delta of disk d0'
refused no-file 65 'not listed'
refused capacity 65 'capacity'
refused chunks 63 'ovf:chunkSize'

echo '* what an archive must not hold'
for kind in symlink hardlink device fifo; do refused $kind 65 'is a link, a device'; done
for kind in up root; do refused $kind 65 'which is no plain name'; done
refused twice 65 'two files called app-one.vmdk'
refused two-ovfs 65 'more than one .ovf'
refused many-members 65 'too many files'
python3 pack.py bad.ova no-ovf
fails 65 vread bad.ova
says 'no .ovf in it'
truncate -s 1M holes
echo end >>holes
for format in gnu pax; do
  tar --format=$format --sparse -cf bad.ova holes
  fails 65 vread bad.ova
  fails 65 vread - <bad.ova
done

echo '* cut off'
python3 pack.py good.ova good
works vread good.ova
cat >cut.py <<'EOS'
import random, subprocess, sys
name, count, choice = sys.argv[1], int(sys.argv[2]), random.Random(sys.argv[3])
data = open(name, "rb").read()
# What follows the two sectors of zeros at the end is padding.
end = len(data.rstrip(b"\0")) if name.endswith((".gz", ".xz")) else len(data.rstrip(b"\0")) + 511
places = {choice.randrange(end) for _ in range(count // 2)}
places |= {p for p in range(0, end // 512 * 512 + 1, 512 * max(end // 512 * 2 // count, 1))}
bad = 0
for place in sorted(places):
    with open("cut.ova", "wb") as file:
        file.write(data[:place])
    for how in (["vread", "cut.ova"], ["vread", "-"]):
        run = subprocess.run(how, stdin=open("cut.ova", "rb"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # So little is taken for a raw disk, or for nothing.
        if run.returncode == 65 or place < 512 and run.returncode in (64, 63, 0):
            continue
        bad += 1
        print(f"{name} cut at {place} of {end}: {how}: status {run.returncode}: {run.stderr.decode()}")
sys.exit(1 if bad else 0)
EOS
gzip -c good.ova >good.ova.gz
python3 cut.py good.ova "$([ "${VPIPE_ALL:-0}" = 1 ] && echo 400 || echo 60)" "$VPIPE_SEED"
python3 cut.py good.ova.gz "$([ "${VPIPE_ALL:-0}" = 1 ] && echo 400 || echo 20)" "$VPIPE_SEED"

echo '* bombs take time, not memory'
# 1 GiB of zeros in a gzip, as a disk and as an OVF.
python3 - <<'EOS'
import gzip, io, tarfile
class Zeros(io.RawIOBase):
    def __init__(self, count): self.left = count
    def read(self, count=-1):
        count = min(count, self.left); self.left -= count
        return b"\0" * count
for name in ("a.vmdk", "a.ovf"):
    with gzip.open(f"bomb-{name}.gz", "wb", 1) as file, tarfile.open(fileobj=file, mode="w|") as tar:
        info = tarfile.TarInfo(name); info.size = 1 << 30
        tar.addfile(info, Zeros(1 << 30))
EOS
for bomb in bomb-*; do
  status=0
  /usr/bin/time -f %M -o memory vread --raw - <"$bomb" >/dev/null 2>stderr || status=$?
  case $status in 63 | 65) ;; *) fail "$bomb: status $status: $(cat stderr)" ;; esac
  [ "$(tail -n 1 memory)" -lt 262144 ] || fail "$bomb: $(tail -n 1 memory) KiB"
done

echo '* compressed files that are damaged: libarchive alone sees neither'
qemu-img create -q -f qcow2 inner.qcow2 4M
noise 1M 3 >plain.bin
cat plain.bin plain.bin plain.bin plain.bin >four.bin
qemu-img convert -O qcow2 -f raw four.bin inner.qcow2
gzip -c inner.qcow2 >inner.qcow2.gz
vread --raw inner.qcow2.gz | cmp - four.bin
length=$(size inner.qcow2.gz)
for place in 8 4; do
  cp inner.qcow2.gz bad.gz
  printf '\377\377' | put_at bad.gz $((length - place))
  fails 65 vread --raw bad.gz
  says 'the checksum and length at the end do not fit'
done
{ head -c 1M inner.qcow2 | gzip -c && tail -c +1048577 inner.qcow2 | gzip -c; } >several.gz
fails 65 vread --raw several.gz
says 'a file of several parts cannot be read here'
for tool in gzip bzip2; do
  { $tool -c inner.qcow2 && printf 'rubbish'; } >behind
  fails 65 vread --raw - <behind
done

echo '* the same disk twice: never silently'
python3 pack.py good.ova good
mkdir twice && tar -xf good.ova -C twice
sed 's#</DiskSection>#<Disk diskId="d9" fileRef="f0" capacity="1"/></DiskSection>#' twice/app.ovf >app.ovf
tar --format=ustar -cf twice.ova app.ovf -C twice app-one.vmdk app-two.vmdk
for source in twice.ova -; do
  works vread --list $source <twice.ova
  says 'disk d9 begins as disk d0 does, in app-one.vmdk: it is read once'
  vread --raw --disk d9 $source <twice.ova | cmp - one.raw
done

echo '* what vendors add is theirs'
sed 's#<Envelope>#<Envelope xmlns:vendor="urn:vendor">#; s#href="app-one.vmdk"#& vendor:href="evil"#' twice/app.ovf >app.ovf
tar --format=ustar -cf vendor.ova app.ovf -C twice app-one.vmdk app-two.vmdk
vread --raw --disk 0 vendor.ova | cmp - one.raw
sed 's#href="app-one.vmdk"#& ovf:href="evil"#; s#<Envelope>#<Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">#' twice/app.ovf >app.ovf
tar --format=ustar -cf both.ova app.ovf -C twice app-one.vmdk app-two.vmdk
fails 65 vread both.ova
says 'two attributes href'

echo '* an OVF by itself in UTF-16, and behind space or a comment'
cp app-one.vmdk app-two.vmdk twice
for head in '\377\376' '\376\377'; do
  order=le
  [ "$head" = '\377\376' ] || order=be
  # shellcheck disable=SC2059
  { printf "$head" && sed 's/<?xml[^>]*>//' twice/app.ovf | iconv -f utf-8 -t utf-16$order; } >twice/wide.ovf
  works vread --list twice/wide.ovf
  vread --raw --disk 1 twice/wide.ovf | cmp - two.raw
done
{ printf '\n \t <!-- a comment -->\n' && sed 's/<?xml[^>]*>//' twice/app.ovf; } >twice/late.ovf
vread --raw --disk 1 twice/late.ovf | cmp - two.raw
