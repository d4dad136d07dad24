"""Who may use a server that others can reach: accounts of people, their sign-ins, and the tokens of programs.

No Flask: sessions and plain values in, rows or errors out. `access.py` asks here who a request comes from.
"""
