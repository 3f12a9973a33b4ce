#!/bin/sh
# vstore check writes a JUnit report that CI systems read: one case for each file, failures with file and reason.
. "$(dirname "$0")/../cli/functions.sh"

requires python3
vstore init -r R >/dev/null
noise 9M >disk.raw
vstore put -q -r R --name a disk.raw >id
vstore put -q -r R --name b disk.raw >id

# report FAILURES [FILE]: the XML is sound, its sums are those of its cases, and FILE is what failed.
report() {
  python3 - "$@" <<'P'
import os, sys, xml.etree.ElementTree as xml
wanted = int(sys.argv[1])
root = xml.parse("report.xml").getroot()
suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
cases = [case for suite in suites for case in suite.findall("testcase")]
failed = [case for case in cases if case.find("failure") is not None]
assert sum(int(s.get("tests")) for s in suites) == len(cases)
assert sum(int(s.get("failures")) for s in suites) == len(failed) == wanted, [c.attrib for c in failed]
assert all(case.get("name") and case.get("classname") for case in cases)
for name in sys.argv[2:]:
    assert any(name in case.get("name") for case in failed), name
    assert all(case.find("failure").get("message") for case in failed)
files = [os.path.join(at, name) for at, _, names in os.walk("R") for name in names]
if len(sys.argv) == 2:
    for name in files:
        assert any(os.path.basename(name) in case.get("name") for case in cases), f"no case for {name}"
P
}
works vstore check -r R --junit report.xml
report 0
works vstore check -r R --read-data --junit report.xml
report 0
works vstore check -r R --read-data-subset 1/2 --junit report.xml
report 0

pack=$(find R/packs -type f -size +4M)
flip "$pack" 5000000
fails 1 vstore check -r R --read-data --junit report.xml
report 1 "$(basename "$pack")"
rm "$pack"
fails 1 vstore check -r R --junit report.xml
python3 -c '
import sys, xml.etree.ElementTree as xml
names = [c.get("name") for c in xml.parse("report.xml").getroot().iter("testcase") if c.find("failure") is not None]
assert any(sys.argv[1] in name for name in names), names' "$(basename "$pack")"

# Without a config nothing can be checked, and the report says that.
printf '{' >R/config
rm -rf R/copies
status=0
vstore check -r R --junit report.xml >stdout 2>stderr || status=$?
[ "$status" -ne 0 ]
report 1 config

# A report that cannot be written is told.
fails 2 vstore check -r R --junit no/such/folder/report.xml
