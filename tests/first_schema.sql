-- A store as it was made before databases had versions: a search, three members, a rule written twice, two exchanges.
BEGIN TRANSACTION;
CREATE TABLE exchanges (
    id INTEGER NOT NULL,
    run VARCHAR(120) NOT NULL,
    round INTEGER NOT NULL,
    niche INTEGER NOT NULL,
    role VARCHAR(20) NOT NULL,
    attempt INTEGER NOT NULL,
    model VARCHAR(80) NOT NULL,
    prompt_sha256 VARCHAR(64) NOT NULL,
    prompt TEXT NOT NULL,
    status VARCHAR(10) NOT NULL,
    reply TEXT,
    "end" VARCHAR(10),
    valid BOOLEAN,
    rejected INTEGER NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cost_microusd BIGINT NOT NULL,
    most_microusd BIGINT NOT NULL,
    seconds FLOAT NOT NULL,
    created VARCHAR(32) NOT NULL,
    PRIMARY KEY (id)
);
INSERT INTO "exchanges" VALUES(1,'fpga-cifar10-81cadd-x',1,0,'design',0,'claude-x','03ccc285f21169d66509c50f98a77ab49a7a845e6536044c5ade62113852ffa8','You design.


Niche 0.','answered','{"offspring": []}','stop',NULL,0,100,20,0,0,2300,10000,1.5,'2026-11-24T15:04:09.789398+00:00');
INSERT INTO "exchanges" VALUES(2,'fpga-cifar10-81cadd-x',1,1,'design',0,'claude-x','45fe3e348fb577f2e4ede5a61d16577f4ff2fab2e24af1174ae5cd6363c611f5','You design.


Niche 1.','sent',NULL,NULL,NULL,0,0,0,0,0,0,10000,0.0,'2026-11-24T15:04:09.801380+00:00');
CREATE TABLE llm_runs (
    run VARCHAR(120) NOT NULL,
    options JSON NOT NULL,
    PRIMARY KEY (run)
);
INSERT INTO "llm_runs" VALUES('fpga-cifar10-81cadd-x','{"model": "claude-x", "max_cost": 1.5}');
CREATE TABLE members (
    id INTEGER NOT NULL,
    search_id VARCHAR(80) NOT NULL,
    architecture VARCHAR(400) NOT NULL,
    niche INTEGER NOT NULL,
    round INTEGER NOT NULL,
    score FLOAT NOT NULL,
    cost FLOAT NOT NULL,
    params INTEGER NOT NULL,
    score_source VARCHAR(80) NOT NULL,
    cost_source VARCHAR(80) NOT NULL,
    origin JSON NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (search_id, architecture),
    FOREIGN KEY(search_id) REFERENCES searches (search_id)
);
INSERT INTO "members" VALUES(1,'fpga-cifar10-81cadd','|avg_pool_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|',0,1,0.111168,2.87696,101306,'atlas','fitted:hwnasbench','{"operator": "fresh", "parents": [], "reason": "bred along the niche''s rules"}');
INSERT INTO "members" VALUES(2,'fpga-cifar10-81cadd','|avg_pool_3x3~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|',0,1,0.320448,4.24016,372346,'atlas','fitted:hwnasbench','{"operator": "fresh", "parents": [], "reason": "bred along the niche''s rules"}');
INSERT INTO "members" VALUES(3,'fpga-cifar10-81cadd','|avg_pool_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|',0,1,0.32832,4.98256,587386,'atlas','fitted:hwnasbench','{"operator": "fresh", "parents": [], "reason": "bred along the niche''s rules"}');
CREATE TABLE rules (
    search_id VARCHAR(80) NOT NULL,
    niche INTEGER NOT NULL,
    version INTEGER NOT NULL,
    rule_id VARCHAR(40) NOT NULL,
    content JSON NOT NULL,
    status VARCHAR(10) NOT NULL,
    author VARCHAR(40) NOT NULL,
    round INTEGER NOT NULL,
    PRIMARY KEY (search_id, niche, version, rule_id),
    FOREIGN KEY(search_id) REFERENCES searches (search_id)
);
INSERT INTO "rules" VALUES('fpga-cifar10-81cadd',0,1,'0.1','{"statement": "A skip from input to output costs nothing", "pattern": {"0->3": "skip_connect"}, "target": "score", "effect": 0.1, "confidence": 0.5, "evidence": ["|avg_pool_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"]}','active','conversation',1);
INSERT INTO "rules" VALUES('fpga-cifar10-81cadd',0,2,'0.1','{"statement": "A skip from input to output costs nothing", "pattern": {"0->3": "skip_connect"}, "target": "score", "effect": 0.1, "confidence": 0.5, "evidence": ["|avg_pool_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"]}','retired','conversation',1);
CREATE TABLE searches (
    search_id VARCHAR(80) NOT NULL,
    space VARCHAR(40) NOT NULL,
    dataset VARCHAR(64) NOT NULL,
    device VARCHAR(40) NOT NULL,
    objective VARCHAR(10) NOT NULL,
    operator VARCHAR(40) NOT NULL,
    seed INTEGER NOT NULL,
    max_cost FLOAT,
    evaluations INTEGER NOT NULL,
    rounds INTEGER,
    offspring INTEGER NOT NULL,
    cost_low FLOAT NOT NULL,
    cost_high FLOAT NOT NULL,
    niches JSON NOT NULL,
    created VARCHAR(32) NOT NULL,
    PRIMARY KEY (search_id)
);
INSERT INTO "searches" VALUES('fpga-cifar10-81cadd','nasbench201','cifar10','fpga','latency','conversation',3,NULL,40,NULL,6,1.13296,8.67856,'[[73306, 802426], [802426, 1531547]]','2026-11-24T15:04:09.597718+00:00');
CREATE INDEX ix_exchanges_run ON exchanges (run);
COMMIT;
