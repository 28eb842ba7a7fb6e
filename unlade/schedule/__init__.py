"""Runs that nobody starts by hand: entries for the machine's scheduler, and a daemon for containers.

timing          when a run is due: `Schedule`, `next_wake`; pure
entry           what a scheduled run is: program, folder, log
cron, systemd, launchd, taskscheduler
                the entry as each scheduler's text, and the steps that put it there; pure
steps, doing    what installing is made of, shown before it is done; the only module that touches the machine
recorded        the other end: a scheduled run's log and its heartbeat
trial           starts an entry once and waits for that heartbeat
surroundings    what this shell has and a scheduler lacks
daemon          sleeps, runs, sleeps
"""
