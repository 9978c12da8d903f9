#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the benchmark says of its results: tables, plots and the marked part of a document, from a results.json in which one subject
is missing, one operation is refused, one is lacking, and one failed; and what a run does about a subject that cannot be started.
Output is KTAP."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/bench'))
import plot  # noqa: E402
import report as reporting  # noqa: E402

BUILD = pathlib.Path(os.environ.get('BUILD', ROOT / 'build'))
CANNED = (ROOT / 'tests/unit/bench_results.json').read_text(encoding='utf-8')
SVG = '{http://www.w3.org/2000/svg}'
OK = {'status': 'ok', 'ops_per_second': 10, 'p50_us': 1, 'p99_us': 2}
LACKING = {'status': 'n/a', 'call': 'C_SignInit', 'error': 'CKR_MECHANISM_INVALID'}


def canned(**changes):
    return json.loads(CANNED) | changes


def lacking(text, *wanted):
    return [f'not there: {words}' for words in wanted if words not in text]


def there(text, *unwanted):
    return [f'there: {words}' for words in unwanted if words in text]


def differs(what, got, wanted):
    return [] if got == wanted else [f'{what} is {got}, not {wanted}']


def row(rows, *first):
    """The row that begins with these cells."""
    return next(cells for cells in rows if cells[:len(first)] == list(first))


# Cells.

def medians_of_each_number():
    rounds = [OK, OK | {'ops_per_second': 30, 'p50_us': 9}, OK | {'ops_per_second': 20, 'p50_us': 8}]
    cell = reporting.median(rounds)
    return differs('the cell', [cell[key] for key in ('status', *reporting.NUMBERS)], ['ok', 20, 8, 2])


def one_bad_round_is_told():
    failed = {'status': 'failed', 'error': 'CKR_DEVICE_ERROR'}
    return (differs('with a failed round', reporting.median([OK, LACKING, failed])['status'], 'failed')
            + differs('without a round', reporting.median([])['status'], 'n/a'))


def only_the_policy_refuses():
    def status(**rounds):
        return reporting.cells_of(['ours', 'ours-fips', 'softhsm'], {'softhsm': 'gone'}, rounds)['ours-fips']['status']
    return (differs('what ours does', status(ours=[OK], **{'ours-fips': [LACKING]}), 'refused')
            + differs('what ours lacks', status(ours=[LACKING], **{'ours-fips': [LACKING]}), 'n/a')
            + differs('what works', status(ours=[OK], **{'ours-fips': [OK]}), 'ok'))


def a_missing_subject_has_no_rounds():
    return differs('the cell', reporting.cells_of(['softhsm'], {'softhsm': 'gone'}, {})['softhsm'], {'status': 'missing'})


# Tables.

def rates_and_ratios():
    rows = list(reporting.rate_rows(canned()))
    return (differs('the head', rows[0], ['operation', 'Craton HSM', 'SoftHSM2 in process', 'opencryptoki', 'OpenSSL alone', '/ SoftHSM2',
                                          '/ opencryptoki', '/ OpenSSL', 'spread'])
            + differs('random-32', rows[1], ['random-32', '500,000', '1,000,000', 'not started', '2,000,000', '0.50', '-', '0.25', '20 %'])
            + differs('token-object', rows[3], ['token-object', '1,700', 'failed', 'not started', 'n/a', '-', '-', '-', '-']))


def times():
    rows = list(reporting.times_rows(canned()))
    return differs('random-32', rows[1], ['random-32', '1.25 / 16.3', '1.00 / 1.00', '-', '0.50 / 0.60'])


def variants_beside_the_default():
    rows = list(reporting.variant_rows(canned()))
    return (differs('the head', rows[0][4:], ['FIPS / default', 'memfd_secret / default'])
            + differs('random-32', row(rows, 'random-32')[2:], ['250,000 (2.50 / 17.0)', '505,000 (1.24 / 16.0)', '0.50', '1.01'])
            + differs('eddsa-sign', row(rows, 'eddsa-sign')[2:], ['refused', '20,000 (50.0 / 150)', '-', '1.00']))


def clients_by_number():
    rows = list(reporting.client_rows(canned()))
    return (differs('one', row(rows, 'eddsa-sign', '1')[2:], ['20,000 (50.0 / 150)', '40,000 (25.0 / 26.0)', '0.50'])
            + differs('sixteen', row(rows, 'eddsa-sign', '16')[2:], ['30,000 (500 / 1,500)', 'failed', '-']))


def without_ours_there_are_no_ratios():
    report = canned(subjects=['softhsm', 'openssl'], memory={}, clients={})
    text = reporting.document(report)
    return (differs('the head', next(reporting.rate_rows(report)), ['operation', 'SoftHSM2 in process', 'OpenSSL alone'])
            + there(text, '## FIPS', '## Many clients') + lacking(reporting.summary(report), '1,000,000'))


# The document.

def what_has_no_number_is_said():
    return lacking(reporting.document(canned()),
                   '**opencryptoki: not measured at all, since it could not be started.** PKCS11_API.so: not there; install opencryptoki',
                   'Craton HSM, FIPS policy: eddsa-sign: refused (C_SignInit: CKR_MECHANISM_INVALID)',
                   'SoftHSM2 in process: eddsa-sign: n/a (C_SignInit: CKR_MECHANISM_INVALID)',
                   'SoftHSM2 in process: token-object: **failed** (C_CreateObject: CKR_DEVICE_ERROR)',
                   'OpenSSL alone: eddsa-sign × 16: **failed** (killed by signal 9: process died)') \
        + there(reporting.document(canned()), 'opencryptoki: random-32')


def what_is_not_ok_is_not_a_success():
    good = {'random-32': {'ours': OK, 'ours-fips': LACKING}}
    return (differs('missing', reporting.failed(canned(results=good, clients={})), True)
            + differs('failed', reporting.failed(canned(missing={})), True)
            + differs('lacking', reporting.failed(canned(results=good, clients={}, missing={})), False))


def the_machine_and_its_load():
    report = canned()
    quiet = reporting.document(report)
    report['machine']['cores_taken_by_others'] = 0.75
    busy = reporting.document(report)
    return (lacking(quiet, 'Test <CPU>, 2 core(s) of a virtual machine (kvm), Test Linux 1, Linux 6.0-test', 'OpenSSL 3.0.1',
                    'Craton HSM 0.1.0 (abc1234)',
                    'opencryptoki (not there)', 'ours-fips memfd_secret', '2026-01-02 03:04 UTC',
                    'medians of 3 interleaved round(s) of 0.5 s')
            + there(quiet, 'not idle') + lacking(busy, '**The machine was not idle: other programs took 0.75 of its 2 cores'))


def noise_is_named_only_where_it_is_seen():
    other = canned(memory={'ours': 'kmod', 'ours-memfd': 'memfd_secret'})
    return lacking(reporting.document(canned()), "is the run's noise") + there(reporting.document(other), "the run's noise")


def only_the_marked_part_is_replaced():
    text = f'before\n{reporting.BEGIN}\nold\n{reporting.END}\nafter\n'
    once = reporting.replace_marked(text, 'new')
    problems = differs('the text', once, f'before\n{reporting.BEGIN}\n\nnew\n{reporting.END}\nafter\n')
    problems += differs('a second time', reporting.replace_marked(once, 'new'), once)
    for bad in ('', reporting.BEGIN, reporting.END + reporting.BEGIN, text + text, text + reporting.END):
        try:
            problems.append(f'taken: {reporting.replace_marked(bad, "new")!r}')
        except ValueError:
            pass
    return problems


# Plots.

def drawn(picture):
    root = xml.etree.ElementTree.fromstring(picture)
    return ([shape.get('class') for shape in root.iter(f'{SVG}circle')], [words.text for words in root.iter(f'{SVG}text')],
            root.find(f'{SVG}style').text)


def ends_before_their_median(picture):
    """Rings to the left of their dots. A ring is drawn before its dot."""
    circles = [(shape.get('class'), float(shape.get('cx'))) for shape in xml.etree.ElementTree.fromstring(picture).iter(f'{SVG}circle')]
    return [f'p99 at {x}, p50 at {median}' for (shape, x), (_, median) in zip(circles, circles[1:])
            if shape.startswith('ring') and x < median]


def latency_of_everybody():
    picture = plot.latency(canned(), ('ours', *reporting.RIVALS))
    shapes, words, style = drawn(picture)
    rings = [shape for shape in shapes if shape.startswith('ring')]
    return (ends_before_their_median(picture) + differs('p99s', len(rings), 6)
            + differs('p50s and the legend', len(shapes) - len(rings), 6 + 4)
            + differs('rows without numbers', [words.count(text) for text in ('not started', 'n/a', 'failed')], [3, 2, 1])
            + lacking(style, 'prefers-color-scheme:dark') + lacking(words, 'Test <CPU>, 2 core(s), Linux 6.0-test, 2026-01-02 03:04 UTC'))


def a_refused_operation_in_the_plot():
    _, words, _ = drawn(plot.latency(canned(), reporting.VARIANTS))
    return differs('refused', words.count('refused'), 1)


def clients_in_the_plot():
    shapes, words, _ = drawn(plot.clients(canned()))
    return differs('points and the legend', len(shapes), 3 + 2) + lacking(words, 'eddsa-sign', '1', '16')


def the_axis_is_logarithmic():
    axis = plot.Log([2, 3000], 100, 500)
    return (differs('the decades', axis.decades(), [1, 10, 100, 1000, 10000])
            + differs('their places', [round(axis.at(decade)) for decade in axis.decades()], [100, 200, 300, 400, 500])
            + differs('one value', plot.Log([10], 0, 1).decades(), [10, 100]))


def names_of_decades():
    return (differs('times', [plot.time_text(us) for us in (0.1, 1, 10, 1000, 1e7)], ['100 ns', '1 µs', '10 µs', '1 ms', '10 s'])
            + differs('rates', [plot.rate_text(rate) for rate in (1, 100, 1000, 1e7)], ['1', '100', '1k', '10M']))


def nothing_measured_nothing_drawn():
    nothing = {operation: {name: {'status': 'missing'} for name in cells} for operation, cells in canned()['results'].items()}
    return differs('the plots', plot.plots(canned(results=nothing, clients={})), {})


# A run.

def run_without_ours(folder, document):
    """In a build folder that has no daemon, so that ours cannot be started."""
    (folder / 'tests').mkdir()
    (folder / 'tests/bench').symlink_to(BUILD.absolute() / 'tests/bench')
    (folder / 'page.md').write_text(document, encoding='utf-8')
    (folder / plot.NAMES[2]).write_text('of an earlier run', encoding='utf-8')
    return subprocess.run([ROOT / 'tests/bench/run', '--build', folder, '--only', 'ours,openssl', '--operations', 'random-32',
                           '--rounds', '2', '--seconds', '0.02', '--clients', 'none', '--document', folder / 'page.md'],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def a_run_goes_on_without_a_subject():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        done = run_without_ours(folder, f'by hand\n{reporting.BEGIN}\nold\n{reporting.END}\n')
        report = json.loads((folder / 'bench/results.json').read_text(encoding='utf-8'))
        table = (folder / 'bench/table.md').read_text(encoding='utf-8')
        page = (folder / 'page.md').read_text(encoding='utf-8')
        plots = sorted(path.name for path in folder.glob('*.svg'))
    cells = report['results']['random-32']
    return (differs('the status', done.returncode, 1) + lacking(done.stdout, 'ours IS NOT MEASURED', 'craton-hsm-daemon: not there')
            + differs('the cells', [cells[name]['status'] for name in ('ours', 'openssl')], ['missing', 'ok'])
            + differs('the rounds', len(cells['openssl']['rounds']), 2) + lacking(table, 'not started', 'could not be started')
            + differs('the page', page, f'by hand\n{reporting.BEGIN}\n\n{table}\n{reporting.END}\n')
            + differs('its plots', plots, [plot.NAMES[0]]))


def a_page_without_a_place_is_refused_before_anything_is_measured():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        done = run_without_ours(folder, 'by hand\n')
        return (differs('the status', done.returncode, 1) + lacking(done.stdout, 'the two lines that mark the generated part')
                + differs('the page', (folder / 'page.md').read_text(encoding='utf-8'), 'by hand\n')
                + differs('the results', (folder / 'bench').exists(), False))


TESTS = [medians_of_each_number, one_bad_round_is_told, only_the_policy_refuses, a_missing_subject_has_no_rounds, rates_and_ratios, times,
         variants_beside_the_default, clients_by_number, without_ours_there_are_no_ratios, what_has_no_number_is_said,
         what_is_not_ok_is_not_a_success, the_machine_and_its_load, noise_is_named_only_where_it_is_seen, only_the_marked_part_is_replaced,
         latency_of_everybody, a_refused_operation_in_the_plot, clients_in_the_plot, the_axis_is_logarithmic, names_of_decades,
         nothing_measured_nothing_drawn, a_run_goes_on_without_a_subject,
         a_page_without_a_place_is_refused_before_anything_is_measured]

print(f'KTAP version 1\n1..{len(TESTS)}')
for i, test in enumerate(TESTS, 1):
    problems = test()
    for problem in problems:
        print(f'# {problem}')
    print(f'{"not ok" if problems else "ok"} {i} {test.__name__}')
