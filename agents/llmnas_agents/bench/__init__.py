"""Methods compared over datasets, devices, seeds and budgets, judged by trained accuracies. No search imports it."""
