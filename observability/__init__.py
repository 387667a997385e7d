"""What is seen of Banksman: names, set-up, and the files Prometheus, Loki, Tempo and Grafana read."""
