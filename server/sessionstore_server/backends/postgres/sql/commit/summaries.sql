changed_summaries AS (
    INSERT INTO sessionstore.summaries (
        key_id, namespace, collection, id, record, name, state, model_name, parent_id, tenant_id, principal,
        agent_template_id, created_at, updated_at, message_count
    )
    SELECT w.key_id, w.namespace, w.collection, w.id, s.record, s.name, s.state, s.model_name, s.parent_id,
        s.tenant_id, s.principal, s.agent_template_id, s.created_at, s.updated_at, s.message_count
    FROM {rows} AS s (
        key_id, record, name, state, model_name, parent_id, tenant_id, principal,
        agent_template_id, created_at, updated_at, message_count
    )
    JOIN won w ON w.key_id = s.key_id
    ON CONFLICT (key_id) DO UPDATE SET
        record = excluded.record, name = excluded.name, state = excluded.state, model_name = excluded.model_name,
        parent_id = excluded.parent_id, tenant_id = excluded.tenant_id, principal = excluded.principal,
        agent_template_id = excluded.agent_template_id, created_at = excluded.created_at,
        updated_at = excluded.updated_at, message_count = excluded.message_count
)
