"""Calendars: when changes may run, by cron-like openings in a time zone, with exceptions and freezes."""
