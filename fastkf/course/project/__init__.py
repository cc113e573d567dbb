"""The course's project: what a learner's folder is judged by, and how one is begun."""
