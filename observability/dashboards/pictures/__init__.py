"""Pictures of the dashboards, drawn from what real servers answered, since people look before they read.

They are no pictures of Grafana, which draws the same panels in its own way; questions, places and numbers are the same.
"""
