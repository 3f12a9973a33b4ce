#!/bin/sh
# Every example of the manual pages and of README.md works as it is printed.
#
# The section EXAMPLES of a page is run from top to bottom, each display (`.Dl` lines, `.Bd -literal` blocks; in
# README.md the blocks marked `sh`) as a bash script with pipefail. All run in one folder, with: disk.raw, a.raw, b.raw;
# app.ova with a.raw; disk.vhd and disk.raw.zst, made of disk.raw, the latter with zeros up to 8 GiB; REPO and
# /srv/backup, a repository with two points of web01 (disk.raw), one of db01 (root and data, from a.raw and b.raw) and
# one of mail (a file system).
# /srv and /dev/sdX are in the folder too. A page that makes REPO itself does not find one. What an example makes, by -o
# or vhd convert, is not there when it begins; `ssh HOST` stays here, and azcopy wants a file.
. "$(dirname "$0")/functions.sh"

requires python3 bash zstd mke2fs

# Prints the examples' scripts: one file each, named PAGE:LINE.
cat >extract.py <<'END'
import os, re, shlex, sys

page, folder = sys.argv[1:]


def display(arguments):
    """The text of .Dl: mdoc takes double quotes away; \\e is a backslash."""
    words = re.findall(r'(?:^|(?<=\s))"((?:[^"]|"")*)"(?=\s|$)|(\S+)', arguments)
    return " ".join(quoted.replace('""', '"') or plain for quoted, plain in words)


def plain(text):
    text = re.sub(r"(?<![\w.$}])/(?=srv/|dev/sd[a-z]\b)", "./", text)
    return text.replace(r"\e", "\\").replace(r"\&", "").replace(r"\-", "-")


def made(script):
    """The files that a script makes."""
    for command in re.split(r"[|;&\n]+", script.replace("\\\n", " ")):
        words = shlex.split(command.replace("'", " "), comments=True)
        for option, name in zip(words, words[1:]):
            if option in ("-o", "--output") and name != "-":
                yield name
        if words[:2] == ["vhd", "convert"]:
            yield [word for word in words[2:] if not word.startswith("-")][1]


scripts, section, block = {}, "", None
with open(page) as file:
    for number, line in enumerate(file.read().splitlines(), 1):
        if line.startswith(".Sh "):
            section, last = line[4:], 0
        if page.endswith(".md"):
            if line.startswith("```"):
                block = number if line == "```sh" else None
            elif block:
                scripts.setdefault(block, []).append(line)
        elif section != "EXAMPLES":
            continue
        elif line.startswith(".Bd "):
            block = number
        elif line.startswith(".Ed"):
            block = None
        elif block:
            scripts.setdefault(block, []).append(plain(line))
        elif line.startswith(".Dl "):
            if number - 1 != last:
                start = number
            scripts.setdefault(start, []).append(plain(display(line[4:])))
            last = number
for number, lines in scripts.items():
    with open(os.path.join(folder, f"{os.path.basename(page)}:{number:04}"), "w") as file:
        script = "\n".join(lines) + "\n"
        for name in made(script):
            file.write(f"rm -f -- {shlex.quote(name)}\n")
        file.write(script)
if not scripts:
    sys.exit(f"{page}: no examples")
END

mkdir bin disks
cat >bin/ssh <<'END'
#!/bin/sh
shift
exec sh -c "$*"
END
cat >bin/azcopy <<'END'
#!/bin/sh
[ "$1" = copy ] && [ -s "$2" ] && [ -n "$3" ]
END
chmod +x bin/ssh bin/azcopy
export PATH="$PWD/bin:$PATH" CONTAINER=https://account.example/container

# appliance FILE DISK: an OVA with one disk.
appliance() {
  python3 "$VPIPE_TOP/Tests/interop/vmdkstream.py" "$2" app-disk1.vmdk
  echo '<Envelope><References><File id="1" href="app-disk1.vmdk"/></References>' >app.ovf
  echo '<DiskSection><Disk diskId="a" fileRef="1"/></DiskSection></Envelope>' >>app.ovf
  tar --format=ustar -cf "$1" app.ovf app-disk1.vmdk
  rm app.ovf app-disk1.vmdk
}

cd disks
small_disk disk.raw
small_disk a.raw 2
small_disk b.raw 3
appliance app.ova a.raw
{
  head -c $((67108864 - 12583424)) /dev/zero | cat disk.raw - | zstd -q -1
  head -c 64M /dev/zero | zstd -q >zeros
  for _ in $(seq 127); do cat zeros; done
} >disk.raw.zst
rm zeros
works vhd create -o disk.vhd disk.raw
works vstore init -r REPO
works vstore put -q -r REPO --name web01 --skip swap disk.raw
works vstore put -q -r REPO --name web01 --skip swap disk.raw
works vstore put -q -r REPO --name db01 --volume root --volume data a.raw b.raw
mkdir -p files/etc/ssh files/var/lib
echo 'Port 22' >files/etc/ssh/sshd_config
noise 64K >files/var/lib/mail.db
truncate -s 8M mail.raw
mke2fs -q -F -t ext4 -d files mail.raw
works vstore put -q -r REPO --name mail mail.raw
rm -r files mail.raw
mkdir srv dev
cp -R REPO srv/backup
cp a.raw dev/sdb
rm -f stdout stderr
cd ..

failed=
for page in "$VPIPE_TOP"/man/*.[157] "$VPIPE_TOP/README.md"; do
  name=$(basename "$page")
  mkdir scripts "$name"
  python3 extract.py "$page" scripts >&2 || failed="$failed $name"
  cp -R disks/. "$name"
  ! grep -q 'init -r REPO' scripts/* || rm -rf "${name:?}/REPO"
  for script in scripts/*; do
    [ -e "$script" ] || continue
    basename "$script" >&2
    (cd "$name" && bash -e -u -o pipefail "../$script" >../stdout 2>../stderr) || {
      echo "man-examples.sh: $(basename "$script") fails with status $?:" >&2
      cat "$script" stderr >&2
      failed="$failed $(basename "$script")"
    }
  done
  rm -rf scripts "${name:?}"
done
[ -z "$failed" ] || fail "examples that fail:$failed"
