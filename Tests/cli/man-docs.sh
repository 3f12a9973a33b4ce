#!/bin/sh
# README.md and docs/ tell the truth where a machine can tell: their links lead somewhere, the scripts that they name
# are there, and the table of imports in docs/architecture.md is that of Package.swift.
. "$(dirname "$0")/functions.sh"

requires python3
cat >docs.py <<'END'
import glob, os, re, sys

top = os.environ["VPIPE_TOP"]
problems = []


def text(name):
    with open(os.path.join(top, name)) as file:
        return file.read()


pages = ["README.md"] + sorted(os.path.relpath(path, top) for path in glob.glob(top + "/docs/*.md"))
for page in pages:
    folder = os.path.dirname(page)
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text(page)):
        if not re.match(r"[a-z]+:", link) and not os.path.exists(os.path.join(top, folder, link)):
            problems.append(f"{page}: {link} is not there")
    for script in re.findall(r"(?<![\w/])(?:scripts|Tests/\w+|\.ci)/[\w./-]*\w", text(page)):
        if not os.path.exists(os.path.join(top, script)):
            problems.append(f"{page}: {script} is not there")

told = {}
for row in re.findall(r"^\| \d \| (\w+) \| ([^|]+) \|", text("docs/architecture.md"), re.M):
    told[row[0]] = set(row[1].split()) - {"–"}
manifest = text("Package.swift")
true = {name: set() for name in re.findall(r'(?:system\(|\.target\(name: )"(C\w+)"', manifest)}
for kind in (r'(?:library|tool)\(\s*"(\w+)"', r'\.target\(\s*name: "(ToolSupport)",\s*dependencies:'):
    for name, list_ in re.findall(kind + r",?\s*\[([^]]*)\]", manifest):
        true[name] = set(re.findall(r'"(\w+)"', re.sub(r"\.product\([^)]*\)", "", list_)))
folders = set(os.listdir(top + "/Sources"))
for name in sorted(folders | set(told) | set(true)):
    if told.get(name) != true.get(name) or name not in folders:
        problems.append(f"architecture.md: {name} imports {told.get(name)}, in Package.swift {true.get(name)}")

print("\n".join(problems))
sys.exit(1 if problems else 0)
END
python3 docs.py >&2
