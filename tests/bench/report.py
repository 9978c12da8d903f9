# SPDX-License-Identifier: Apache-2.0
"""What a run measured: rounds become cells, and results.json, which has those, becomes text. No program itself.

report["results"][operation][subject] is a cell: its status, and its numbers if that is `ok`. report["clients"] has the same for each
operation and number of clients. A subject in report["missing"] could not be started; the reason stands there."""
import statistics

NUMBERS = ("ops_per_second", "p50_us", "p99_us")
OTHERS_MAX = 0.1  # cores; above this the numbers come with a warning
BEGIN = "<!-- From here to the next such line all is written by `make bench-docs`. -->"
END = "<!-- The end of what `make bench-docs` writes. -->"
VARIANTS = ("ours", "ours-fips", "ours-memfd", "ours-mlock")
RIVALS = ("softhsm", "p11kit", "opencryptoki", "handover", "openssl")
SHORT = {"softhsm": "SoftHSM2", "p11kit": "p11-kit", "opencryptoki": "opencryptoki", "handover": "hand-over", "openssl": "OpenSSL",
         "ours": "default", "ours-fips": "FIPS", "ours-memfd": "memfd_secret", "ours-mlock": "mlock"}
LATENCY_PLOT, VARIANTS_PLOT, CLIENTS_PLOT = "performance-latency.svg", "performance-variants.svg", "performance-clients.svg"
STATUS_TEXT = {"missing": "not started"}


# Cells, from rounds.

def median(rounds):
    """One cell: the median of each number, or the first round that was not measured."""
    if not rounds:
        return {"status": "n/a", "error": "not one of its operations"}
    for one in sorted(rounds, key=lambda one: one["status"] != "failed"):
        if one["status"] != "ok":
            return dict(one, rounds=rounds)
    return {"status": "ok", "rounds": rounds} | {key: statistics.median(one[key] for one in rounds) for key in NUMBERS}


def cells_of(names, missing, rounds):
    """A row: what each subject came to. What only the FIPS policy takes away is not lacking but refused."""
    cells = {name: {"status": "missing"} if name in missing else median(rounds.get(name, ())) for name in names}
    strict = cells.get("ours-fips", {})
    if strict.get("status") == "n/a" and cells.get("ours", {}).get("status") == "ok":
        strict["status"] = "refused"
    return cells


def ratio(cells, over, number="ops_per_second", of="ours"):
    """One by the other; None when one side has no number."""
    mine, other = (cells.get(name, {}).get(number) for name in (of, over))
    return mine / other if mine and other else None


def ratios(cells, number):
    return {operation: {name: ratio(row, name, number) for name in RIVALS} for operation, row in cells.items()}


# Cells, as text.

def number_text(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def status_text(cell):
    return STATUS_TEXT.get(cell["status"], cell["status"])


def rate_text(cell):
    return number_text(cell["ops_per_second"]) if cell["status"] == "ok" else status_text(cell)


def times_text(cell):
    return " / ".join(number_text(cell[key]) for key in ("p50_us", "p99_us")) if cell["status"] == "ok" else "-"


def all_text(cell):
    return f"{rate_text(cell)} ({times_text(cell)})" if cell["status"] == "ok" else status_text(cell)


def ratio_text(value):
    return "-" if value is None else number_text(value)


def spread_text(cell):
    """How far the rounds lie apart, in percent of their median."""
    rates = [one["ops_per_second"] for one in cell.get("rounds", ()) if one["status"] == "ok"]
    if len(rates) < 2 or cell["status"] != "ok":
        return "-"
    return f"{100 * (max(rates) - min(rates)) / cell['ops_per_second']:.0f} %"


# Tables.

def aligned(rows, markdown=True):
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row):
        cells = [text.ljust(width) if i == 0 else text.rjust(width) for i, (text, width) in enumerate(zip(row, widths))]
        return "| " + " | ".join(cells) + " |" if markdown else "  ".join(cells)

    lines = [line(row) for row in rows]
    if markdown:
        lines.insert(1, "|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|")
    return "\n".join(lines) + "\n"


def present(report, names):
    return [name for name in names if name in report["subjects"]]


def labels(report, names):
    return [report["labels"][name] for name in names]


def compared(report, names):
    return [name for name in names if name in RIVALS] if "ours" in report["subjects"] else []


def rate_rows(report):
    """Everybody's rates, and ours by theirs."""
    names = present(report, ("ours", *RIVALS))
    over = compared(report, names)
    yield ["operation", *labels(report, names), *(f"/ {SHORT[name]}" for name in over), *(["spread"] if over else [])]
    for operation, cells in report["results"].items():
        yield [operation, *(rate_text(cells[name]) for name in names), *(ratio_text(ratio(cells, name)) for name in over),
               *([spread_text(cells["ours"])] if over else [])]


def times_rows(report):
    names = present(report, ("ours", *RIVALS))
    yield ["operation", *labels(report, names)]
    for operation, cells in report["results"].items():
        yield [operation, *(times_text(cells[name]) for name in names)]


def variant_rows(report):
    names = present(report, VARIANTS)
    others = names[1:] if names[0] == "ours" else []
    yield ["operation", *labels(report, names), *(f"{SHORT[name]} / {SHORT['ours']}" for name in others)]
    for operation, cells in report["results"].items():
        yield [operation, *(all_text(cells[name]) for name in names),
               *(ratio_text(ratio(cells, "ours", of=name)) for name in others)]


def client_subjects(report):
    seen = {name for by_count in report["clients"].values() for cells in by_count.values() for name in cells}
    return [name for name in report["subjects"] if name in seen]


def client_rows(report):
    names = client_subjects(report)
    over = compared(report, names)
    yield ["operation", "clients", *labels(report, names), *(f"/ {SHORT[name]}" for name in over)]
    for operation, by_count in report["clients"].items():
        for count, cells in by_count.items():
            yield [operation, count, *(all_text(cells[name]) if name in cells else "-" for name in names),
                   *(ratio_text(ratio(cells, name)) for name in over)]


# What has no number.

def all_rows(report):
    """Every row of cells, with what it is called."""
    yield from report["results"].items()
    for operation, by_count in report["clients"].items():
        for count, cells in by_count.items():
            yield f"{operation} × {count}", cells


def reasons(report):
    """{(subject, status, reason): operations} of all that was started and has no number."""
    found = {}
    for operation, cells in all_rows(report):
        for name, cell in cells.items():
            if cell["status"] not in ("ok", "missing"):
                reason = ": ".join(cell[key] for key in ("call", "error") if key in cell)
                found.setdefault((name, cell["status"], reason), []).append(operation)
    return found


def failed(report):
    return bool(report["missing"]) or any(cell["status"] == "failed" for _, cells in all_rows(report) for cell in cells.values())


def unmeasured_lines(report):
    for name, reason in report["missing"].items():
        yield f"- **{report['labels'][name]}: not measured at all, since it could not be started.** {reason}"
    for (name, status, reason), operations in reasons(report).items():
        text = f"**{status}**" if status == "failed" else status
        yield f"- {report['labels'][name]}: {', '.join(operations)}: {text} ({reason})"


# The document.

def warning(report):
    about = report["machine"]
    if about["cores_taken_by_others"] <= OTHERS_MAX:
        return ""
    return (f"The machine was not idle: other programs took {about['cores_taken_by_others']:.2f} of its {about['cores']} cores; "
            f"its load was {about['load_at_start']:.2f} when the run began. Take the numbers with care.")


def machine_lines(report):
    about = report["machine"]
    virtual = "" if about["virtual"] in ("", "none") else f" of a virtual machine ({about['virtual']})"
    yield (f"- {about['cpu']}, {about['cores']} core(s){virtual}, {about['system']}, Linux {about['kernel']}, scratch folder on "
           f"{about['filesystem']}")
    yield "- " + ", ".join(f"{name} {version or '(not there)'}" for name, version in about["versions"].items())
    yield "- Memory of the agents: " + (", ".join(f"{name} {memory}" for name, memory in report["memory"].items()) or "none ran")
    yield f"- {about['date']}; others took {about['cores_taken_by_others']:.2f} cores meanwhile"


def same_memory(report):
    """Does one of the variants differ from the default in name only? What lies between the two is noise."""
    memory = report["memory"]
    return any(memory.get(name) and memory[name] == memory.get("ours") for name in VARIANTS[2:])


def plot_line(about, file):
    return f"![{about}]({file})\n"


def one_client(report):
    p = report["parameters"]
    load = f"{p['processes']} process(es) with {p['threads']} thread(s)"
    return ["## One client\n" if p["processes"] == p["threads"] == 1 else "## Each operation\n",
            f"Operations per second, medians of {p['rounds']} interleaved round(s) of {p['seconds']:g} s, {load}; ours by theirs; and how "
            "far our rounds lie apart.\n",
            aligned(rate_rows(report)),
            "p50 / p99 in microseconds.\n",
            aligned(times_rows(report)),
            plot_line("p50 and p99 of each operation and subject, logarithmic; the numbers are in the tables", LATENCY_PLOT)]


def variants(report):
    if len(present(report, VARIANTS)) < 2:
        return []
    noise = (f" The default's memory is {report['memory']['ours']} on this machine: what lies between it and the agent that was told so "
             "is the run's noise." if same_memory(report) else "")
    return ["## FIPS policy and memory\n",
            "Ours in the same run, each an agent of its own: operations per second (p50 / p99 in microseconds), and by the default's."
            f"{noise}\n",
            aligned(variant_rows(report)),
            plot_line("p50 and p99 of our agents, logarithmic; the numbers are in the table", VARIANTS_PLOT)]


def clients(report):
    if not report["clients"]:
        return []
    p = report["parameters"]
    return ["## Many clients\n",
            "Each client is a process with a session and keys of its own; OpenSSL alone has as many processes, and the bare "
            "hand-over twice as many. Operations per second of all together (p50 / p99 in microseconds), medians of "
            f"{p['client_rounds']} interleaved round(s); ours by theirs.\n",
            aligned(client_rows(report)),
            plot_line("operations per second by the number of clients, logarithmic; the numbers are in the table", CLIENTS_PLOT)]


def unmeasured(report):
    lines = list(unmeasured_lines(report))
    legend = ("n/a: the subject has no such mechanism or does not pass on its parameter; refused: the FIPS policy does not offer it; "
              "failed: it should have worked.\n")
    return ["## What has no number\n", legend, "\n".join(lines) + "\n"] if lines else []


def document(report):
    """All that is generated of docs/performance.md."""
    warn = warning(report)
    parts = [*one_client(report), *variants(report), *clients(report), *unmeasured(report), "## The machine\n",
             "\n".join(machine_lines(report)) + "\n"]
    return "\n".join([f"**{warn}**\n"] * bool(warn) + parts)


def summary(report):
    """The same for a terminal, without latencies of others."""
    rows = [rate_rows(report)] if present(report, ("ours", *RIVALS)) else []
    rows += [variant_rows(report)] if len(present(report, VARIANTS)) > 1 else []
    rows += [client_rows(report)] if report["clients"] else []
    return "\n".join([*(aligned(one, False) for one in rows), *unmeasured_lines(report), warning(report)])


def replace_marked(text, made):
    """The text with what stands between its two markers replaced; ValueError when they are not there, once each and in order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise ValueError("the two lines that mark the generated part are not there, once each")
    return f"{before}{BEGIN}\n\n{made}\n{END}{after}"
