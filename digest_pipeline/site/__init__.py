"""A day as a page of a website: HTML, charts, feeds, and what its search is made from.

Knows the domain alone: it is handed values and gives text back. What is read for it, and where its files go, is
decided in `pipeline/site.py`.
"""
