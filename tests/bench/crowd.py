"""Ten thousand clients that poll, beside the reading of a UPS: what they get, and what it notices."""

import json
import subprocess
import time

import nut
from scale import Many, usage
from servers import BenchError
from sim import Sim

CLIENTS = 10000
PERIOD = 1.0        # seconds between two questions of a client; upsmon's own default is 5


class Ages:
    """The age of the status, asked over the local socket, and mains failures seen by one more client."""

    def __init__(self, daemon, sim):
        self.daemon, self.sim = daemon, sim

    def ages(self, seconds):
        ages, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            ages += self.daemon.ages() or [float("inf")]
            time.sleep(0.02)
        return ages

    def outages(self, rounds):
        took = []
        client = nut.Client(self.daemon.port, 30)
        try:
            for i in range(rounds):
                time.sleep(0.3 + 0.037 * i)     # at other phases of the round
                for state, flag in (("off", "OB"), ("on", "OL")):
                    start = time.monotonic()
                    self.sim.cmd(f"mains {state}")
                    while flag not in client.get("ups.status").split():
                        if time.monotonic() - start > 30:
                            raise BenchError(f"crowd: {flag} did not come")
                        time.sleep(0.002)
                    if state == "off":
                        took.append(time.monotonic() - start)
        finally:
            client.close()
        return took

    def look(self, seconds, rounds):
        cpu, _ = usage(self.daemon.processes[0].pid)
        start = time.monotonic()
        ages, took = self.ages(seconds), self.outages(rounds)
        end, rss = usage(self.daemon.processes[0].pid)
        line = self.daemon.get("/ups/ups")["line"]
        return {"worst age s": max(ages), "mean age s": sum(ages) / len(ages),
                "worst OB s": max(took), "status round ms": line["status_round_ms"],
                "cpu percent": 100 * (end - cpu) / (time.monotonic() - start), "rss MB": rss}


def crowd(bench):
    seconds, rounds = (6, 4) if bench.quick else (60, 20)
    program = bench.compile("crowd")
    with Sim("--seed", bench.seed) as sim:
        daemon = Many("", bench.directory / "crowded")
        try:
            daemon.start(f'ups "ups" {{\n\tport = "{sim.port}"\n}}\n')
            daemon.wait_for("a fresh value", daemon.ages)
            time.sleep(3)
            look = Ages(daemon, sim)
            calm = look.look(seconds, rounds)
            bench.say(f"crowd: {CLIENTS} clients come")
            # it must outlast what is looked at meanwhile
            lasts = seconds + 3 * rounds
            process = subprocess.Popen(
                [program, str(daemon.port), str(CLIENTS), str(PERIOD), str(lasts), "VAR ups ups.status ",
                 "GET VAR ups ups.status"], stdout=subprocess.PIPE, text=True)
            try:
                if process.stdout.readline() != "ready\n":
                    raise BenchError(f"crowd: it ended at once. The daemon's log ends:\n{daemon.log_tail()}")
                crowded = look.look(seconds, rounds)
                if process.poll() is not None:
                    raise BenchError("crowd: the clients left before the end")
                out = process.communicate(timeout=lasts + 60)[0]
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        finally:
            daemon.stop()
    clients = json.loads(out)
    bench.row(f"{CLIENTS} polling clients: dropped", "", {"ours": clients["dropped"]}, 0)
    bench.row(f"{CLIENTS} polling clients: wrong or overdue answers", "",
              {"ours": clients["wrong"] + clients["overdue"]}, 0)
    bench.row(f"{CLIENTS} polling clients: answers", "/s",
              {"ours": clients["answers"] / lasts}, None)
    for key in ("median s", "p99 s", "worst s"):
        bench.row(f"{CLIENTS} polling clients: answer, {key[:-2]}", "s", {"ours": clients[key]}, None)
    for name, figures in (("alone", calm), ("beside them", crowded)):
        bench.row(f"status round, {name}", "ms", {"ours": figures["status round ms"]}, None)
        bench.row(f"oldest status, {name}", "s", {"ours": figures["worst age s"]}, 1.0)
        bench.row(f"mains failure seen, worst, {name}", "s", {"ours": figures["worst OB s"]}, 0.4)
        bench.row(f"CPU, {name}", "% of a core", {"ours": figures["cpu percent"]}, None)
        bench.row(f"memory, {name}", "MB", {"ours": figures["rss MB"]}, None)
    return {"clients": clients, "calm": calm, "crowded": crowded}
