"""The commands, put together."""

import typer

from sessionstore_server.cli import interchange, listing, maintaining, moving, serve, sessions

app = typer.Typer(
    name="sessionstore",
    help="Keep the sessions of AI agents: serve a store, look into it, move sessions in and out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(listing.ls)
app.command()(sessions.show)
app.command()(sessions.rm)
app.command("import-a3s")(interchange.import_a3s)
app.command("export-a3s")(interchange.export_a3s)
app.command()(moving.copy)
app.command()(moving.verify)
app.command()(maintaining.backup)
app.command("mark-restored")(maintaining.mark_restored)
app.command()(maintaining.migrate)
