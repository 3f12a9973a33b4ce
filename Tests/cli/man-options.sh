#!/bin/sh
# Every option that a tool and its commands show with --help is in the tool's manual page, and the other way round.
. "$(dirname "$0")/functions.sh"

requires python3
cat >compare.py <<'END'
import os, re, subprocess, sys

MAN = os.path.join(os.environ["VPIPE_TOP"], "man")
TOOLS = ["vread", "vchunk", "vdedup", "vstore", "vrestore", "vhd"]
problems = []


def help_of(*command):
    """Options, as sets of names, and subcommands that --help shows."""
    text = subprocess.run([*command, "--help"], check=True, capture_output=True, text=True).stdout
    section, options, commands = "", [], []
    for line in text.splitlines():
        if re.match(r"[A-Z]+:", line):
            section = line.split(":")[0]
        elif section == "OPTIONS" and re.match(r"  -", line):
            column = re.split(r"\s{2,}", line.strip())[0]
            options.append(set(re.findall(r"(?:(?<=\s)|^)(--?\w[\w-]*)", column)))
        elif section == "SUBCOMMANDS" and (found := re.match(r"  ([a-z][\w-]*)(?: \(default\))?(?:\s\s|$)", line)):
            commands.append(found[1])
    assert options, text
    return options, commands


def flags(line):
    """The option names in a line of mdoc: -x for Fl x, --long for Fl -long."""
    names, is_flag = [], False
    for word in line.split():
        if word == "Fl":
            is_flag = True
        elif word in (",", "|"):
            continue
        elif re.fullmatch(r"[A-Z][a-z]", word.lstrip(".")):
            is_flag = False
        elif is_flag and word[0] == "-":
            names.append("-" + word)
            is_flag = line.split().count("Fl") == 1
        elif is_flag and re.fullmatch(r"\w+", word):
            names += ["-" + letter for letter in word]
    return names


class Page:
    """What a page documents: for all commands (under ""), and in each command's section."""

    def __init__(self, tool, commands):
        self.items, self.synopsis, self.mentioned, self.inherits = {"": set()}, {}, set(), {}
        head, command = "", ""
        with open(os.path.join(MAN, tool + ".1")) as file:
            lines = file.read().splitlines()
        for number, line in enumerate(lines):
            if line.startswith((".Sh ", ".Ss ")):
                if line.startswith(".Sh "):
                    head = line[4:]
                last = line.split()[-1]
                command = last if line.startswith(".Ss ") and last in commands else ""
                self.items.setdefault(command, set())
            elif head == "SYNOPSIS":
                if line == ".Nm":
                    command = ""
                elif line.startswith(".Cm ") and not command:
                    command = line[4:]
                self.synopsis.setdefault(command, set()).update(flags(line))
            elif line.startswith(".It Fl "):
                self.items[command].update(flags(line))
            if line.startswith(".Cm ") and lines[number - 1].endswith("options are those of"):
                self.inherits[command] = line.split()[1]
            if line.startswith("."):
                self.mentioned.update(name for name in flags(line) if name.startswith("--"))
        self.all = set().union(*self.items.values())

    def documents(self, command):
        own = self.items.get(command, set()) | self.items[""] | self.synopsis.get(command, set())
        if command in self.inherits:
            own |= self.items[self.inherits[command]]
        return own


known, pages = set(), {}
for tool in TOOLS:
    _, commands = help_of(tool)
    shown = {command: help_of(tool, command)[0] for command in commands} or {"": help_of(tool)[0]}
    page = pages[tool] = Page(tool, commands)
    for command, options in shown.items():
        words = f"{tool} {command}".strip()
        if command and command not in page.items:
            problems.append(f"{tool}.1: no section about {command}")
        for names in options:
            known |= names
            for name in names - page.all:
                problems.append(f"{tool}.1: {name} is missing")
            if names & page.all and not names & page.documents(command):
                problems.append(f"{tool}.1: {'/'.join(sorted(names))} is not told to be one of {words}")
        there = set().union(*options)
        for name in page.items.get(command, set()) - there if command else page.items[""] - there:
            problems.append(f"{tool}.1: {name} is documented, but {words} does not have it")
    if commands:
        anywhere = set().union(*(names for options in shown.values() for names in options))
        for name in page.items[""] - anywhere:
            problems.append(f"{tool}.1: {name} is documented, but no command has it")

for tool, page in pages.items():
    for name in page.mentioned - known:
        problems.append(f"{tool}.1: {name} is mentioned, but no tool has it")

print("\n".join(sorted(set(problems))))
sys.exit(1 if problems else 0)
END
python3 compare.py >&2
