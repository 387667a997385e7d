"""Grafana's dashboards, written as code and rendered to the files that Grafana reads.

`python -m observability.dashboards` writes them to `observability/grafana/dashboards`. It takes grafana-foundation-sdk,
which is a development's dependency: no process of ours imports this package.
"""
