"""A simulated SaaS company: the event history that its CRM, product, help desk and web site would have sent.

One file is one aspect of the company: population (who signs up and what becomes of them), companies (who they are),
usage, visits, tickets, deals, profiles, releases; arrival (delays, late events, repeats) and ordering turn them into a
file. A scenario is a set of parameters and a list of plants; truth says what was planted.

Rules:
1. Same scenario, parameters and seed: the same bytes, in any process. No clock, no hash order.
2. Every aspect of every account has a random stream of its own, so a plant changes only what it acts on.
3. Memory is bounded by the busiest day, not by the length of the history.
"""
