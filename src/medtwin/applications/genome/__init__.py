"""A genome from a file to a table and a fact: pharmacogenes by CPIC, polygenic scores."""
