"""crash-states.py MOUNT DISK PAUSE COUNT: keeps a mounted file system busy, and copies its disk at COUNT moments.

DISK is served by nbdkit with its pause filter, whose socket is PAUSE: a copy holds each write that was done and nothing of
those that were not, as after a power cut. Beside a copy, state.N, promised.N names each file (NAME SHA-256) that was fsynced,
its folder too, before the copy began, and that nobody had begun to delete when it ended.
"""
import hashlib, os, random, shutil, socket, subprocess, sys, threading, time

mount, disk, pause, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
choice = random.Random(int(os.environ.get("VPIPE_SEED", "1")))
promised, lock, stop = {}, threading.Lock(), threading.Event()


def sync(path):
    number = os.open(path, os.O_RDONLY)
    os.fsync(number)
    os.close(number)


def write(path, content, pieces):
    with open(path, "wb") as file:
        for start in range(0, len(content), pieces):
            file.write(content[start:start + pieces])
        file.flush()


def work(seed):
    """Files that are promised, files that are not, deletions, growth, holes: whatever moves blocks about."""
    choice, number, mine = random.Random(seed), 0, []
    folder = os.path.join(mount, f"worker {seed}")
    os.mkdir(folder)
    sync(mount)
    while not stop.is_set():
        number += 1
        name = f"worker {seed}/file {number}"
        path = os.path.join(mount, name)
        content = choice.randbytes(choice.choice((100, 5000, 40000, 200000)))
        try:
            write(path, content, choice.choice((4096, 100000)))
            kind = choice.random()
            if kind < 0.6:
                sync(path)
                sync(folder)
                with lock:
                    promised[name] = hashlib.sha256(content).hexdigest()
                mine.append(name)
            elif kind < 0.8:
                os.truncate(path, len(content) // 2)
                os.truncate(path, len(content) * 2)
            else:
                os.unlink(path)
        except OSError:
            if os.path.exists(path) and name not in promised:
                os.unlink(path)
        free = os.statvfs(mount)
        while mine and (len(mine) > 60 or free.f_bavail * 4 < free.f_blocks) and not stop.is_set():
            old = mine.pop(choice.randrange(len(mine)))
            with lock:
                del promised[old]
            os.unlink(os.path.join(mount, old))
            free = os.statvfs(mount)


def command(letter):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(pause)
        control.send(letter)
        return control.recv(1)


workers = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for worker in workers:
    worker.start()
try:
    for number in range(count):
        time.sleep(choice.uniform(0.1, 1.2))
        with lock:
            before = dict(promised)
        assert command(b"p") == b"P"
        subprocess.run(["cp", "--sparse=always", disk, f"state.{number}"], check=True)
        assert command(b"r") == b"R"
        with lock:
            kept = {name: value for name, value in before.items() if promised.get(name) == value}
        with open(f"promised.{number}", "w") as file:
            for name, value in sorted(kept.items()):
                file.write(f"{value}  {name}\n")
finally:
    stop.set()
    for worker in workers:
        worker.join()
