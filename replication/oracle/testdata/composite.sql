-- composite install
BEGIN
  EXECUTE IMMEDIATE 'CREATE TABLE "ASHLAR$POS_GROUP_1#NSRLAV69" (ID VARCHAR2(24) PRIMARY KEY, SIG NUMBER, BATCH NUMBER NOT NULL) INITRANS 4';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -955 THEN
      RAISE;
    END IF;
END;

-- composite install
MERGE INTO "ASHLAR$POS_GROUP_1#NSRLAV69" p USING (SELECT '*' ID FROM DUAL) s ON (p.ID = s.ID)
WHEN NOT MATCHED THEN INSERT (ID, BATCH) VALUES (s.ID, TRUNC((CAST(SYS_EXTRACT_UTC(SYSTIMESTAMP) AS DATE) - TO_DATE('2020-01-01', 'YYYY-MM-DD')) * 8640000))

-- composite install
DECLARE
  N NUMBER;
BEGIN
  SELECT COUNT(*) INTO N FROM ALL_TAB_COMMENTS
  WHERE OWNER = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND TABLE_NAME IN ('ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9', 'ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9') AND COMMENTS = 'ashlar log 1 e789f464a344b710';
  IF N < 2 THEN
    BEGIN
      EXECUTE IMMEDIATE 'DROP TRIGGER "ASHLAR$TRG_A_TABLE_WI#E2SIB6Q9"';
    EXCEPTION
      WHEN OTHERS THEN
        IF SQLCODE <> -4080 THEN
          RAISE;
        END IF;
    END;
    BEGIN
      EXECUTE IMMEDIATE 'DROP TABLE "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9" PURGE';
    EXCEPTION
      WHEN OTHERS THEN
        IF SQLCODE <> -942 THEN
          RAISE;
        END IF;
    END;
    BEGIN
      EXECUTE IMMEDIATE 'DROP TABLE "ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9" PURGE';
    EXCEPTION
      WHEN OTHERS THEN
        IF SQLCODE <> -942 THEN
          RAISE;
        END IF;
    END;
    EXECUTE IMMEDIATE 'CREATE TABLE "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9" (K1 VARCHAR2(20 BYTE) NOT NULL, K2 CHAR(4 CHAR) NOT NULL, K3 DATE NOT NULL) SEGMENT CREATION IMMEDIATE INITRANS 4 ENABLE ROW MOVEMENT';
    EXECUTE IMMEDIATE 'CREATE TABLE "ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9" (K1 VARCHAR2(20 BYTE) NOT NULL, K2 CHAR(4 CHAR) NOT NULL, K3 DATE NOT NULL, BATCH NUMBER NOT NULL, PRIMARY KEY (K1, K2, K3)) SEGMENT CREATION IMMEDIATE INITRANS 4';
    EXECUTE IMMEDIATE 'CREATE INDEX "ASHLAR$BAT_A_TABLE_WI#E2SIB6Q9" ON "ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9" (BATCH)';
    EXECUTE IMMEDIATE 'COMMENT ON TABLE "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9" IS ''ashlar log 1 e789f464a344b710''';
    EXECUTE IMMEDIATE 'COMMENT ON TABLE "ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9" IS ''ashlar log 1 e789f464a344b710''';
  END IF;
END;

-- composite install
CREATE OR REPLACE TRIGGER "ASHLAR$TRG_A_TABLE_WI#E2SIB6Q9"
AFTER INSERT OR UPDATE OR DELETE ON "Shop Floor"."Order Lines?"
FOR EACH ROW
BEGIN
  IF INSERTING THEN
    INSERT INTO "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9" (K1, K2, K3) VALUES (:NEW."Region's", :NEW."group", :NEW."When");
  ELSIF UPDATING THEN
    INSERT INTO "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9" (K1, K2, K3) VALUES (:NEW."Region's", :NEW."group", :NEW."When");
    IF NLSSORT(:OLD."Region's", 'NLS_SORT=BINARY') <> NLSSORT(:NEW."Region's", 'NLS_SORT=BINARY') OR NLSSORT(:OLD."group", 'NLS_SORT=BINARY') <> NLSSORT(:NEW."group", 'NLS_SORT=BINARY') OR :OLD."When" <> :NEW."When" THEN
      INSERT INTO "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9" (K1, K2, K3) VALUES (:OLD."Region's", :OLD."group", :OLD."When");
    END IF;
  ELSE
    INSERT INTO "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9" (K1, K2, K3) VALUES (:OLD."Region's", :OLD."group", :OLD."When");
  END IF;
END;

-- composite install
LOCK TABLE "Shop Floor"."Order Lines?" IN SHARE MODE WAIT 20

-- composite install
MERGE INTO "ASHLAR$POS_GROUP_1#NSRLAV69" p USING (SELECT 'a_table_with_a_long_name' ID, (SELECT COALESCE(SUM(ORA_HASH(o.OBJECT_NAME || '.' || o.SUBOBJECT_NAME || '.' || o.DATA_OBJECT_ID)), 0) FROM ALL_OBJECTS o
  WHERE o.OWNER = 'Shop Floor' AND (o.OBJECT_NAME = 'Order Lines?' AND o.OBJECT_TYPE LIKE 'TABLE%'
    OR o.OBJECT_TYPE LIKE 'INDEX%' AND o.OBJECT_NAME IN (SELECT i.INDEX_NAME FROM ALL_INDEXES i
      WHERE i.TABLE_OWNER = 'Shop Floor' AND i.TABLE_NAME = 'Order Lines?' AND i.INDEX_TYPE = 'IOT - TOP'))) SIG FROM DUAL) s ON (p.ID = s.ID)
WHEN NOT MATCHED THEN INSERT (ID, SIG, BATCH) VALUES (s.ID, s.SIG, 0)

-- composite uninstall
BEGIN
  EXECUTE IMMEDIATE 'DROP TRIGGER "ASHLAR$TRG_A_TABLE_WI#E2SIB6Q9"';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -4080 THEN
      RAISE;
    END IF;
END;

-- composite uninstall
BEGIN
  EXECUTE IMMEDIATE 'DROP TABLE "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9" PURGE';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -942 THEN
      RAISE;
    END IF;
END;

-- composite uninstall
BEGIN
  EXECUTE IMMEDIATE 'DROP TABLE "ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9" PURGE';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -942 THEN
      RAISE;
    END IF;
END;

-- composite uninstall
BEGIN
  EXECUTE IMMEDIATE 'DROP TABLE "ASHLAR$POS_GROUP_1#NSRLAV69" PURGE';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -942 THEN
      RAISE;
    END IF;
END;

-- composite due
SELECT CASE WHEN EXISTS (SELECT 1 FROM "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9")
  OR EXISTS (SELECT 1 FROM "ASHLAR$POS_GROUP_1#NSRLAV69" s WHERE s.ID = 'a_table_with_a_long_name' AND (s.SIG IS NULL OR s.SIG <> (SELECT COALESCE(SUM(ORA_HASH(o.OBJECT_NAME || '.' || o.SUBOBJECT_NAME || '.' || o.DATA_OBJECT_ID)), 0) FROM ALL_OBJECTS o
  WHERE o.OWNER = 'Shop Floor' AND (o.OBJECT_NAME = 'Order Lines?' AND o.OBJECT_TYPE LIKE 'TABLE%'
    OR o.OBJECT_TYPE LIKE 'INDEX%' AND o.OBJECT_NAME IN (SELECT i.INDEX_NAME FROM ALL_INDEXES i
      WHERE i.TABLE_OWNER = 'Shop Floor' AND i.TABLE_NAME = 'Order Lines?' AND i.INDEX_TYPE = 'IOT - TOP'))))) THEN '1' ELSE '0' END DUE
FROM "ASHLAR$POS_GROUP_1#NSRLAV69" p WHERE p.ID = '*'

-- composite sequence
MERGE INTO "ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9" k USING (SELECT DISTINCT K1, K2, K3 FROM "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9") l ON (k.K1 = l.K1 AND k.K2 = l.K2 AND k.K3 = l.K3)
WHEN MATCHED THEN UPDATE SET k.BATCH = :1
WHEN NOT MATCHED THEN INSERT (K1, K2, K3, BATCH) VALUES (l.K1, l.K2, l.K3, :2)

-- composite sequence
DELETE FROM "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9"

-- composite sequence
UPDATE "ASHLAR$POS_GROUP_1#NSRLAV69" p SET p.SIG = (SELECT COALESCE(SUM(ORA_HASH(o.OBJECT_NAME || '.' || o.SUBOBJECT_NAME || '.' || o.DATA_OBJECT_ID)), 0) FROM ALL_OBJECTS o
  WHERE o.OWNER = 'Shop Floor' AND (o.OBJECT_NAME = 'Order Lines?' AND o.OBJECT_TYPE LIKE 'TABLE%'
    OR o.OBJECT_TYPE LIKE 'INDEX%' AND o.OBJECT_NAME IN (SELECT i.INDEX_NAME FROM ALL_INDEXES i
      WHERE i.TABLE_OWNER = 'Shop Floor' AND i.TABLE_NAME = 'Order Lines?' AND i.INDEX_TYPE = 'IOT - TOP'))), p.BATCH = :1
WHERE p.ID = 'a_table_with_a_long_name' AND (p.SIG IS NULL OR p.SIG <> (SELECT COALESCE(SUM(ORA_HASH(o.OBJECT_NAME || '.' || o.SUBOBJECT_NAME || '.' || o.DATA_OBJECT_ID)), 0) FROM ALL_OBJECTS o
  WHERE o.OWNER = 'Shop Floor' AND (o.OBJECT_NAME = 'Order Lines?' AND o.OBJECT_TYPE LIKE 'TABLE%'
    OR o.OBJECT_TYPE LIKE 'INDEX%' AND o.OBJECT_NAME IN (SELECT i.INDEX_NAME FROM ALL_INDEXES i
      WHERE i.TABLE_OWNER = 'Shop Floor' AND i.TABLE_NAME = 'Order Lines?' AND i.INDEX_TYPE = 'IOT - TOP'))))

-- composite changed
SELECT '0' T, CASE
  WHEN p.BATCH > 17 OR p.SIG IS NULL OR p.SIG <> (SELECT COALESCE(SUM(ORA_HASH(o.OBJECT_NAME || '.' || o.SUBOBJECT_NAME || '.' || o.DATA_OBJECT_ID)), 0) FROM ALL_OBJECTS o
  WHERE o.OWNER = 'Shop Floor' AND (o.OBJECT_NAME = 'Order Lines?' AND o.OBJECT_TYPE LIKE 'TABLE%'
    OR o.OBJECT_TYPE LIKE 'INDEX%' AND o.OBJECT_NAME IN (SELECT i.INDEX_NAME FROM ALL_INDEXES i
      WHERE i.TABLE_OWNER = 'Shop Floor' AND i.TABLE_NAME = 'Order Lines?' AND i.INDEX_TYPE = 'IOT - TOP'))) THEN '2'
  WHEN EXISTS (SELECT 1 FROM "ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9" WHERE BATCH > 17) OR EXISTS (SELECT 1 FROM "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9") THEN '1'
  ELSE '0' END X
FROM "ASHLAR$POS_GROUP_1#NSRLAV69" p WHERE p.ID = 'a_table_with_a_long_name'

-- composite changes
SELECT CASE WHEN r.E IS NULL THEN '0' ELSE '1' END, r.C1, l.K1, l.K2, TO_CHAR(r.C4, 'TM9'), TO_CHAR(l.K3, 'SYYYY-MM-DD HH24:MI:SS')
FROM (
  SELECT K1, K2, K3 FROM "ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9" WHERE BATCH > 17
  UNION SELECT K1, K2, K3 FROM "ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9"
) l
LEFT JOIN (
  SELECT 1 E, t."note" C1, t."Region's" C2, t."group" C3, t."Größe" C4, t."When" C5 FROM "Shop Floor"."Order Lines?" t WHERE ("note" IS NULL OR "Größe" > 0 -- all but drafts
)
) r ON (r.C2 = l.K1 AND r.C3 = l.K2 AND r.C5 = l.K3)

-- composite fingerprint
SELECT 'L' K, c.TABLE_NAME N, TO_CHAR(o.OBJECT_ID, 'TM9') W FROM ALL_TAB_COMMENTS c, ALL_OBJECTS o
WHERE c.OWNER = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND c.TABLE_NAME IN ('ASHLAR$LOG_A_TABLE_WI#E2SIB6Q9', 'ASHLAR$KEY_A_TABLE_WI#E2SIB6Q9') AND c.COMMENTS = 'ashlar log 1 e789f464a344b710' AND o.OWNER = c.OWNER AND o.OBJECT_NAME = c.TABLE_NAME AND o.OBJECT_TYPE = 'TABLE'
UNION ALL
SELECT 'P', o.OBJECT_NAME, TO_CHAR(o.OBJECT_ID, 'TM9') FROM ALL_OBJECTS o
WHERE o.OWNER = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND o.OBJECT_NAME = 'ASHLAR$POS_GROUP_1#NSRLAV69' AND o.OBJECT_TYPE = 'TABLE'
UNION ALL
SELECT 'T', t.TRIGGER_NAME, TO_CHAR(o.OBJECT_ID, 'TM9') || ' ' || TO_CHAR(o.LAST_DDL_TIME, 'YYYYMMDDHH24MISS') FROM ALL_TRIGGERS t, ALL_OBJECTS o
WHERE t.OWNER = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') AND t.TRIGGER_NAME = 'ASHLAR$TRG_A_TABLE_WI#E2SIB6Q9' AND t.TABLE_OWNER = 'Shop Floor' AND t.TABLE_NAME = 'Order Lines?' AND t.STATUS = 'ENABLED'
  AND t.TRIGGER_TYPE = 'AFTER EACH ROW' AND t.TRIGGERING_EVENT = 'INSERT OR UPDATE OR DELETE'
  AND o.OWNER = t.OWNER AND o.OBJECT_NAME = t.TRIGGER_NAME AND o.OBJECT_TYPE = 'TRIGGER'
UNION ALL
SELECT 'C', c.COLUMN_NAME, c.DATA_TYPE || ' ' || c.DATA_LENGTH || ' ' || c.CHAR_LENGTH || ' ' || c.CHAR_USED || ' ' || c.DATA_PRECISION || ' ' || c.DATA_SCALE || ' ' || c.NULLABLE || ' ' || c.VIRTUAL_COLUMN
FROM ALL_TAB_COLS c WHERE c.OWNER = 'Shop Floor' AND c.TABLE_NAME = 'Order Lines?' AND c.HIDDEN_COLUMN = 'NO'
UNION ALL
SELECT 'K', k.COLUMN_NAME, k.CONSTRAINT_NAME || ' ' || k.POSITION || ' ' || c.STATUS FROM ALL_CONSTRAINTS c, ALL_CONS_COLUMNS k
WHERE c.OWNER = 'Shop Floor' AND c.TABLE_NAME = 'Order Lines?' AND c.CONSTRAINT_TYPE = 'P' AND k.OWNER = c.OWNER AND k.CONSTRAINT_NAME = c.CONSTRAINT_NAME
UNION ALL
SELECT 'K', k.COLUMN_NAME, i.INDEX_NAME || ' ' || k.COLUMN_POSITION FROM ALL_INDEXES i, ALL_IND_COLUMNS k
WHERE i.TABLE_OWNER = 'Shop Floor' AND i.TABLE_NAME = 'Order Lines?' AND i.UNIQUENESS = 'UNIQUE' AND k.INDEX_OWNER = i.OWNER AND k.INDEX_NAME = i.INDEX_NAME

-- composite select
SELECT t."note" C1, t."Region's" C2, t."group" C3, TO_CHAR(t."Größe", 'TM9') C4, TO_CHAR(t."When", 'SYYYY-MM-DD HH24:MI:SS') C5
FROM "Shop Floor"."Order Lines?" t
WHERE ("note" IS NULL OR "Größe" > 0 -- all but drafts
)
ORDER BY t."Region's", RTRIM(t."group"), t."When"

-- composite select a chunk
SELECT * FROM (
SELECT /*+ FIRST_ROWS(1000) */ t."note" C1, t."Region's" C2, t."group" C3, TO_CHAR(t."Größe", 'TM9') C4, TO_CHAR(t."When", 'SYYYY-MM-DD HH24:MI:SS') C5
FROM "Shop Floor"."Order Lines?" t
WHERE ("note" IS NULL OR "Größe" > 0 -- all but drafts
)
  AND t."Region's" >= 'O''Brien' || CHR(10) AND (t."Region's" > 'O''Brien' || CHR(10) OR (t."Region's" = 'O''Brien' || CHR(10) AND (RTRIM(t."group") IS NOT NULL OR (RTRIM(t."group") IS NULL AND t."When" > TO_DATE('2024-02-29 23:59:59', 'YYYY-MM-DD HH24:MI:SS')))))
ORDER BY t."Region's", RTRIM(t."group"), t."When"
) WHERE ROWNUM <= 1000

-- composite lookup
SELECT t."note" C1, t."Region's" C2, t."group" C3, TO_CHAR(t."Größe", 'TM9') C4, TO_CHAR(t."When", 'SYYYY-MM-DD HH24:MI:SS') C5
FROM "Shop Floor"."Order Lines?" t
WHERE (t."Region's", t."group", t."When") IN (('O''Brien' || CHR(10), CAST(' ' AS CHAR(4 CHAR)), TO_DATE('2024-02-29 23:59:59', 'YYYY-MM-DD HH24:MI:SS')), ('O''Brien' || CHR(10), CAST(' ' AS CHAR(4 CHAR)), TO_DATE('2024-02-29 23:59:59', 'YYYY-MM-DD HH24:MI:SS')))
  AND ("note" IS NULL OR "Größe" > 0 -- all but drafts
)

-- composite create
CREATE TABLE "Shop Floor"."Order Lines?" (
  "NOTE" NVARCHAR2(100),
  "Region's" VARCHAR2(20 BYTE) NOT NULL,
  "GROUP" CHAR(4 CHAR) NOT NULL,
  "Größe" NUMBER(10,2),
  "When" DATE NOT NULL,
  PRIMARY KEY ("Region's", "GROUP", "When")
)

-- composite staging
BEGIN
  EXECUTE IMMEDIATE 'CREATE GLOBAL TEMPORARY TABLE "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" ("ashlar_n" NUMBER(19), "ashlar_exists" NUMBER(19), "note" NVARCHAR2(100), "Region''s" VARCHAR2(20 BYTE), "group" CHAR(4 CHAR), "Größe" NUMBER(10,2), "When" DATE) ON COMMIT DELETE ROWS';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -955 THEN
      RAISE;
    END IF;
END;

-- composite staging
DELETE FROM "Shop Floor"."Order Lines?" WHERE ("Region's", "group", "When") IN (SELECT s."Region's", s."group", s."When" FROM "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" s WHERE s."ashlar_exists" = 0)

-- composite staging
DELETE FROM "Shop Floor"."Order Lines?" WHERE ("Region's", "group", "When") IN (SELECT s."Region's", s."group", s."When" FROM "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" s)

-- composite staging
DELETE FROM "Shop Floor"."Order Lines?" t WHERE NOT EXISTS (SELECT 1 FROM "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" s WHERE s."ashlar_exists" = 1 AND s."Region's" = t."Region's" AND s."group" = t."group" AND s."When" = t."When")

-- composite rivals
DELETE FROM "Shop Floor"."Order Lines?" WHERE ROWID IN (
  SELECT t.ROWID FROM "Shop Floor"."Order Lines?" t, "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" s WHERE s."ashlar_exists" = 1 AND (t."note" = s."note" OR t."note" IS NULL AND s."note" IS NULL) AND (t."Größe" = s."Größe" OR t."Größe" IS NULL AND s."Größe" IS NULL) AND (t."note" IS NOT NULL OR t."Größe" IS NOT NULL) AND NOT (s."Region's" = t."Region's" AND s."group" = t."group" AND s."When" = t."When")
)

-- composite rivals
DELETE FROM "Shop Floor"."Order Lines?" WHERE ROWID IN (
  SELECT t.ROWID FROM "Shop Floor"."Order Lines?" t, "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" s WHERE s."ashlar_exists" = 1 AND t."When" = s."When" AND (t."note" = s."note" OR t."note" IS NULL AND s."note" IS NULL) AND (t."When" IS NOT NULL OR t."note" IS NOT NULL) AND NOT (s."Region's" = t."Region's" AND s."group" = t."group" AND s."When" = t."When")
)

-- composite staging
MERGE INTO "Shop Floor"."Order Lines?" t USING (SELECT s."note", s."Region's", s."group", s."Größe", s."When" FROM "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" s WHERE s."ashlar_exists" = 1) s ON (s."Region's" = t."Region's" AND s."group" = t."group" AND s."When" = t."When")
WHEN MATCHED THEN UPDATE SET t."note" = s."note", t."Größe" = s."Größe"
WHERE DECODE(t."note", s."note", 0, 1) = 1
  OR DECODE(t."Größe", s."Größe", 0, 1) = 1

-- composite staging
INSERT INTO "Shop Floor"."Order Lines?" ("note", "Region's", "group", "Größe", "When")
SELECT s."note", s."Region's", s."group", s."Größe", s."When" FROM "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" s WHERE s."ashlar_exists" = 1 AND NOT EXISTS (SELECT 1 FROM "Shop Floor"."Order Lines?" t WHERE s."Region's" = t."Region's" AND s."group" = t."group" AND s."When" = t."When")

-- composite staging
DELETE FROM "ASHLAR$STG_A_TABLE_WI#AUQ8VC0T" WHERE "ashlar_n" < :1 OR "ashlar_n" >= :2

-- composite load
INSERT INTO "Shop Floor"."Order Lines?" ("note", "Region's", "group", "Größe", "When")
VALUES (:1, :2, :3, :4, TO_DATE(:5, 'YYYY-MM-DD HH24:MI:SS'))

-- composite publish
BEGIN
  EXECUTE IMMEDIATE 'CREATE TABLE "Shop Floor"."ASHLAR$PUBLIC" (ID VARCHAR2(24) PRIMARY KEY, NAME VARCHAR2(128 CHAR) NOT NULL, N NUMBER(1) NOT NULL)';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -955 THEN
      RAISE;
    END IF;
END;

-- composite publish
MERGE INTO "Shop Floor"."ASHLAR$PUBLIC" p USING (SELECT 'a_table_with_a_long_name' ID, 'Order Lines?' NAME FROM DUAL) s ON (p.ID = s.ID)
WHEN NOT MATCHED THEN INSERT (ID, NAME, N) VALUES (s.ID, s.NAME, 0)

-- composite publish
BEGIN
  EXECUTE IMMEDIATE 'CREATE TABLE "Shop Floor"."ASHLAR$CP0_A_TABLE_WI#E2SIB6Q9" (
  "NOTE" NVARCHAR2(100),
  "Region''s" VARCHAR2(20 BYTE) NOT NULL,
  "GROUP" CHAR(4 CHAR) NOT NULL,
  "Größe" NUMBER(10,2),
  "When" DATE NOT NULL,
  PRIMARY KEY ("Region''s", "GROUP", "When")
)';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -955 THEN
      RAISE;
    END IF;
END;

-- composite publish
BEGIN
  EXECUTE IMMEDIATE 'CREATE TABLE "Shop Floor"."ASHLAR$CP1_A_TABLE_WI#E2SIB6Q9" (
  "NOTE" NVARCHAR2(100),
  "Region''s" VARCHAR2(20 BYTE) NOT NULL,
  "GROUP" CHAR(4 CHAR) NOT NULL,
  "Größe" NUMBER(10,2),
  "When" DATE NOT NULL,
  PRIMARY KEY ("Region''s", "GROUP", "When")
)';
EXCEPTION
  WHEN OTHERS THEN
    IF SQLCODE <> -955 THEN
      RAISE;
    END IF;
END;

-- composite publish
CREATE OR REPLACE VIEW "Shop Floor"."Order Lines?" ("NOTE", "Region's", "GROUP", "Größe", "When") AS
SELECT /*+ LEADING(s t) USE_NL(t) */ t."NOTE", t."Region's", t."GROUP", t."Größe", t."When" FROM "Shop Floor"."ASHLAR$PUBLIC" s, "Shop Floor"."ASHLAR$CP0_A_TABLE_WI#E2SIB6Q9" t WHERE s.ID = 'a_table_with_a_long_name' AND s.N = 0
UNION ALL
SELECT /*+ LEADING(s t) USE_NL(t) */ t."NOTE", t."Region's", t."GROUP", t."Größe", t."When" FROM "Shop Floor"."ASHLAR$PUBLIC" s, "Shop Floor"."ASHLAR$CP1_A_TABLE_WI#E2SIB6Q9" t WHERE s.ID = 'a_table_with_a_long_name' AND s.N = 1

-- composite publish
SELECT N FROM "Shop Floor"."ASHLAR$PUBLIC" WHERE ID = 'a_table_with_a_long_name'

-- composite publish
DELETE FROM "Shop Floor"."ASHLAR$CP0_A_TABLE_WI#E2SIB6Q9"

-- composite publish
BEGIN
  DBMS_STATS.GATHER_TABLE_STATS('Shop Floor', '"ASHLAR$CP0_A_TABLE_WI#E2SIB6Q9"');
END;

-- composite publish
DELETE FROM "Shop Floor"."ASHLAR$CP1_A_TABLE_WI#E2SIB6Q9"

-- composite publish
BEGIN
  DBMS_STATS.GATHER_TABLE_STATS('Shop Floor', '"ASHLAR$CP1_A_TABLE_WI#E2SIB6Q9"');
END;

-- composite flip
UPDATE "Shop Floor"."ASHLAR$PUBLIC" SET N = CASE ID WHEN 'a_table_with_a_long_name' THEN 1 WHEN 'third' THEN 1 END WHERE ID IN ('a_table_with_a_long_name', 'third')

-- composite flip
UPDATE "ASHLAR$PUBLIC" SET N = CASE ID WHEN 'other' THEN 0 END WHERE ID IN ('other')

