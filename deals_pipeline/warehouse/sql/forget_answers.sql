-- Let all landed answers be loaded anew, over what is there, and what is counted by them be counted anew.
DELETE FROM landed_file;

DELETE FROM quarantine;

DELETE FROM missing_product;

DELETE FROM missing_seller;

DELETE FROM filled_table;
